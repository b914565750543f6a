"""Measuring a station: the lens from many views of a board, the part's plane from one."""

import logging
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.geometry.board import Board, BoardCorners, find
from edge.vision.geometry import GeometryError
from edge.vision.lens import Correction, Lens, Matrix, Points, project

log = logging.getLogger(__name__)

FEWEST_VIEWS = 8
WORST_RMS_PX = 1.0
MOVED_SHARE = 0.02
OUTLIER = 3.0
SMALL_COVERAGE = 0.6
UNSURE_FOCAL = 0.01
SIGNIFICANT = 3.0
TILTED_DEGREES = 10.0
FEWEST_TILTED = 3


@dataclass(frozen=True, eq=False)
class BoardView:
    """One view of the board that can be used."""

    name: str
    found: BoardCorners


@dataclass(frozen=True)
class Refused:
    """One that cannot, and why."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Views:
    """All views of a board by one camera; frames have one size, width and height."""

    board: Board
    frame: tuple[int, int] | None
    seen: tuple[BoardView, ...] = ()
    refused: tuple[Refused, ...] = ()

    def with_picture(self, name: str, image: NDArray[np.uint8]) -> "Views":
        """With one more: used, or refused with the reason."""
        size = (image.shape[1], image.shape[0])
        found = find(self.board, image)
        if isinstance(found, str):
            return self.without(name, found)
        if self.frame is not None and size != self.frame:
            return self.without(
                name, f"it is {size[0]}x{size[1]}, the others are {self.frame[0]}x{self.frame[1]}"
            )
        for other in self.seen:
            if _moved(other.found, found) < MOVED_SHARE * float(np.hypot(*size)):
                return self.without(name, f"the board lies as in {other.name}")
        return Views(self.board, size, (*self.seen, BoardView(name, found)), self.refused)

    def without(self, name: str, why: str) -> "Views":
        return Views(self.board, self.frame, self.seen, (*self.refused, Refused(name, why)))


def _moved(one: BoardCorners, other: BoardCorners) -> float:
    """Mean way of the corners that both see, in pixels; infinite where there are none."""
    _, i, j = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    if len(i) == 0:
        return float("inf")
    return float(np.linalg.norm(one.pixels[i] - other.pixels[j], axis=1).mean())


@dataclass(frozen=True)
class LensResult:
    """A lens, its RMS reprojection error, and how sure it is.

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
    """The lens from at least 8 views that differ. Raises GeometryError with the way to mend it."""
    seen, refused = views.seen, views.refused
    if views.frame is None or len(seen) < FEWEST_VIEWS:
        raise GeometryError(_too_few(len(seen), refused))
    fitted = _calibrate(seen, views.frame)
    typical = float(np.median(fitted.per_view_px))
    wrong = fitted.per_view_px > max(WORST_RMS_PX, OUTLIER * typical)
    if wrong.any():
        for view, px in zip(seen, fitted.per_view_px, strict=True):
            if px > max(WORST_RMS_PX, OUTLIER * typical):
                why = f"its corners are off by {px:.1f} px: the board was bent, moved or blurred"
                refused = (*refused, Refused(view.name, why))
        seen = tuple(view for view, bad in zip(seen, wrong, strict=True) if not bad)
        if len(seen) < FEWEST_VIEWS:
            raise GeometryError(_too_few(len(seen), refused))
        fitted = _calibrate(seen, views.frame)
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


def doubts(result: LensResult) -> list[str]:
    """What a careful person would mend before trusting the lens."""
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
    """With the most frequent reason: the rest is in the log."""
    text = f"{count} views can be used, at least {FEWEST_VIEWS} are needed"
    reasons = [each.why for each in refused]
    why = max(reasons, key=reasons.count) if reasons else ""
    return (
        f"{text}{f' ({why})' if why else ''}: photograph the board {FEWEST_VIEWS} to 20 times, "
        "everywhere in the frame and tilted to all sides"
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """`tilts` are degrees between board and sensor, one a view."""

    lens: Lens
    tilts: NDArray[np.float64]
    rms_px: float
    focal_error: float
    per_view_px: NDArray[np.float64]


def _calibrate(seen: tuple[BoardView, ...], frame: tuple[int, int]) -> _Fitted:
    """With k3 only where the views show that it is there: it runs wild in the corners else."""
    plain, _ = _solve(seen, frame, cv2.CALIB_FIX_K3)
    full, sure_of_k3 = _solve(seen, frame, 0)
    return full if sure_of_k3 and full.rms_px < plain.rms_px else plain


def _solve(seen: tuple[BoardView, ...], frame: tuple[int, int], flags: int) -> tuple[_Fitted, bool]:
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


@dataclass(frozen=True)
class PlaneResult:
    """The part's plane: homography from lens-corrected pixels to mm, and how well it fits.

    `rms_px` is in the camera's frame, `mm_per_pixel` holds in the middle of it, `tilt_degrees` is
    known with a lens alone.
    """

    plane: Matrix
    rms_px: float
    mm_per_pixel: float
    tilt_degrees: float | None


def measure_plane(
    board: Board, name: str, image: NDArray[np.uint8], lens: Lens | None
) -> PlaneResult:
    """The plane on which the board lies. Raises GeometryError with the way to mend it.

    (0, 0) mm is what the corner of the frame's first pixel sees, x goes to the right as seen in the
    middle of the frame, y down: however the board lay.
    """
    frame = (image.shape[1], image.shape[0])
    found = find(board, image)
    if isinstance(found, str):
        raise GeometryError(f"--plane {name}: {found}, and photograph it once more")
    ideal = Correction(frame, lens, None).to_corrected(found.pixels)
    solved, _ = cv2.findHomography(ideal, found.board_mm)
    matrix = np.zeros((3, 3)) if solved is None else np.asarray(solved, np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-15:
        raise GeometryError(
            f"--plane {name}: the board lies too flat to the view: photograph again"
        )
    upright = _upright(matrix, Correction(frame, lens, None))
    correction = Correction(frame, lens, as_matrix(upright))
    there = project(_oriented(matrix, ideal), ideal)
    back = Correction(frame, lens, as_matrix(_oriented(matrix, ideal))).to_frame(found.board_mm)
    rms = float(np.sqrt(((back - found.pixels) ** 2).sum(axis=1).mean()))
    if not rms <= WORST_RMS_PX or not np.isfinite(there).all():
        raise GeometryError(
            f"--plane {name}: the board is no plane there (RMS {rms:.2f} px, at most "
            f"{WORST_RMS_PX:g}): lay it flat, measure the lens first with --images, focus"
        )
    middle = np.array(frame) / 2
    ends = correction.to_corrected(middle + np.array([(-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)]))
    across, down = ends[1] - ends[0], ends[3] - ends[2]
    scale = float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])))
    return PlaneResult(as_matrix(upright), rms, scale, _tilt(lens, np.linalg.inv(upright)))


def _oriented(matrix: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    """With the sign that gives the board's own points a positive weight."""
    weight = points.mean(axis=0) @ matrix[2, :2] + matrix[2, 2]
    return np.asarray(matrix / (np.linalg.norm(matrix) * np.sign(weight)), np.float64)


def _upright(matrix: NDArray[np.float64], lens: Correction) -> NDArray[np.float64]:
    """The plane's axes turned as the picture's, its origin moved under the first pixel's corner."""
    middle = np.array(lens.frame, np.float64) / 2
    corners = lens.to_corrected(np.stack([middle, middle + np.array((1, 0)), np.zeros(2)]))
    matrix = _oriented(matrix, corners[:1])
    here, right, origin = project(matrix, corners)
    cos, sin = (right - here) / np.linalg.norm(right - here)
    turn = np.array([(cos, sin), (-sin, cos)])
    move = np.eye(3)
    move[:2, :2], move[:2, 2] = turn, -turn @ origin
    moved = move @ matrix
    if not np.isfinite(moved).all():
        raise GeometryError("the plane's horizon lies in the picture: photograph the board flatter")
    return np.asarray(moved / moved[2, 2], np.float64)


def _tilt(lens: Lens | None, to_pixels: NDArray[np.floating]) -> float | None:
    """Degrees between the plane and the sensor."""
    if lens is None:
        return None
    pose = np.linalg.inv(np.array(lens.camera_matrix)) @ to_pixels
    normal = np.cross(pose[:, 0], pose[:, 1])
    return float(np.degrees(np.arccos(min(1.0, abs(normal[2]) / np.linalg.norm(normal)))))


def as_matrix(matrix: NDArray[np.floating] | cv2.typing.MatLike) -> Matrix:
    """3x3 as rows of numbers."""
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in np.asarray(matrix))
    return a, b, c
