"""The camera's lens, measured from many views of the board."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.geometry.board_views import BoardView, Refused, Views
from edge.vision.geometry import GeometryError
from edge.vision.lens import Lens, Matrix

FEWEST_VIEWS = 8
WORST_RMS_PX = 1.0
OUTLIER = 3.0
SMALL_COVERAGE = 0.6
UNSURE_FOCAL = 0.01
SIGNIFICANT = 3.0
TILTED_DEGREES = 10.0
FEWEST_TILTED = 3


@dataclass(frozen=True)
class LensResult:
    """A lens, its RMS reprojection error, and how well the views determine it.

    `focal_error` is the standard deviation of the focal length as a share of it, `coverage` the
    share of the frame between the corners seen, `used` and `refused` the views.
    """

    lens: Lens
    frame: tuple[int, int]
    rms_px: float
    focal_error: float
    coverage: float
    used: tuple[str, ...]
    refused: tuple[Refused, ...]


def measure_lens(views: Views) -> LensResult:
    """The lens from at least 8 views that differ. Raises GeometryError that says how to fix it."""
    seen, refused = views.seen, views.refused
    if views.frame is None or len(seen) < FEWEST_VIEWS:
        raise GeometryError(_too_few(len(seen), refused))
    fitted = _calibrate(seen, views.frame)
    highest_px = max(WORST_RMS_PX, OUTLIER * float(np.median(fitted.per_view_px)))
    if (fitted.per_view_px > highest_px).any():
        errors = list(zip(seen, fitted.per_view_px, strict=True))
        seen = tuple(view for view, px in errors if not px > highest_px)
        why = "its corners are off by {:.1f} px: the board was bent, moved or blurred"
        refused += tuple(Refused(v.name, why.format(px)) for v, px in errors if px > highest_px)
        if len(seen) < FEWEST_VIEWS:
            raise GeometryError(_too_few(len(seen), refused))
        fitted = _calibrate(seen, views.frame)
    _check(fitted)
    corners = np.concatenate([view.found.pixels for view in seen]).astype(np.float32)
    hull = cv2.contourArea(cv2.convexHull(corners))
    return LensResult(
        lens=fitted.lens,
        frame=views.frame,
        rms_px=fitted.rms_px,
        focal_error=fitted.focal_error,
        coverage=hull / (views.frame[0] * views.frame[1]),
        used=tuple(view.name for view in seen),
        refused=refused,
    )


def _check(fitted: "_Fitted") -> None:
    """Raises GeometryError where the views disagree, or do not determine the focal length."""
    if not fitted.rms_px <= WORST_RMS_PX:
        raise GeometryError(
            f"the views do not agree: RMS reprojection error {fitted.rms_px:.2f} px, at most "
            f"{WORST_RMS_PX:g} is allowed: glue the board to something flat, hold it still, focus, "
            "check --board, and take the pictures again"
        )
    tilted = int((fitted.tilts > TILTED_DEGREES).sum())
    if tilted < FEWEST_TILTED:
        # A focal length of 22,494 px in place of 810 explained untilted views to 0.05 px.
        raise GeometryError(
            f"{tilted} views are tilted by more than {TILTED_DEGREES:g} degrees, at least "
            f"{FEWEST_TILTED} are needed or the lens is guessed: tilt the board by 20 to 40 "
            "degrees, to all four sides"
        )


def doubts(result: LensResult) -> list[str]:
    """Warnings about a lens that was measured from too little."""
    told = []
    if result.coverage < SMALL_COVERAGE:
        told.append(
            f"the views cover {result.coverage:.0%} of the frame: take some with the board in each "
            "corner, the lens is guessed there"
        )
    if not result.focal_error < UNSURE_FOCAL:
        told.append(
            f"the focal length is known to {result.focal_error:.1%} only: take views with the "
            "board tilted by 20 to 40 degrees, to all four sides"
        )
    return told


def _too_few(count: int, refused: tuple[Refused, ...]) -> str:
    """The message names the most frequent reason; the log has the others."""
    reasons = [each.why for each in refused]
    why = f" ({max(reasons, key=reasons.count)})" if reasons else ""
    return (
        f"{count} views can be used, at least {FEWEST_VIEWS} are needed{why}: photograph the board "
        f"{FEWEST_VIEWS} to 20 times, everywhere in the frame and tilted to all sides"
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A lens and its errors; `tilts` are degrees between board and sensor, one per view."""

    lens: Lens
    tilts: NDArray[np.float64]
    rms_px: float
    focal_error: float
    per_view_px: NDArray[np.float64]


def _calibrate(seen: tuple[BoardView, ...], frame: tuple[int, int]) -> _Fitted:
    """The fit with k3 only where k3 is significant: otherwise it diverges in the corners."""
    plain, _ = _solve(seen, frame, cv2.CALIB_FIX_K3)
    full, sure_of_k3 = _solve(seen, frame, 0)
    return full if sure_of_k3 and full.rms_px < plain.rms_px else plain


def _solve(seen: tuple[BoardView, ...], frame: tuple[int, int], flags: int) -> tuple[_Fitted, bool]:
    """A lens for these views by OpenCV, and whether its k3 differs from zero significantly."""
    flat = [np.column_stack([v.found.board_mm, np.zeros(len(v.found.numbers))]) for v in seen]
    boards = [points.astype(np.float32) for points in flat]
    corners = [view.found.pixels.astype(np.float32) for view in seen]
    start, none = np.eye(3), np.zeros(5)
    try:
        rms, matrix, distortion, turns, _, deviations, _, errors = cv2.calibrateCameraExtended(
            boards, corners, frame, start, none, flags=flags
        )
        lens = Lens(camera_matrix=as_matrix(matrix), distortion=tuple(distortion.ravel()[:5]))
    except (cv2.error, ValueError) as error:
        raise GeometryError(
            "no lens explains these views: check --board, and tilt the board to all sides"
        ) from error
    spread = np.asarray(deviations, np.float64).ravel()
    k3 = abs(lens.distortion[4])
    focal_error = float(max(spread[0] / matrix[0, 0], spread[1] / matrix[1, 1]))
    px = np.asarray(errors, np.float64).ravel()
    upright = np.array([cv2.Rodrigues(turn)[0][2, 2] for turn in turns])
    tilts = np.degrees(np.arccos(np.abs(upright).clip(0, 1)))
    return _Fitted(lens, tilts, float(rms), focal_error, px), bool(k3 > SIGNIFICANT * spread[8])


def as_matrix(matrix: NDArray[np.floating] | cv2.typing.MatLike) -> Matrix:
    """A 3x3 array as rows of numbers."""
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in np.asarray(matrix))
    return a, b, c
