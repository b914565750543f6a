"""The part's plane, measured from one picture of the board that lies on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.geometry.board import Board, find
from calibration.geometry.lens import WORST_RMS_PX, as_matrix
from edge.vision.geometry import GeometryError
from edge.vision.lens import Correction, Lens, Matrix, Points, project


@dataclass(frozen=True)
class PlaneResult:
    """The part's plane: homography from lens-corrected pixels to mm, and how well it fits.

    `rms_px` is in the camera's frame, `mm_per_pixel` holds in the middle of it, `tilt_degrees` is
    known only where there is a lens.
    """

    plane: Matrix
    rms_px: float
    mm_per_pixel: float
    tilt_degrees: float | None


def measure_plane(
    board: Board, name: str, image: NDArray[np.uint8], lens: Lens | None
) -> PlaneResult:
    """The plane on which the board lies. Raises GeometryError that says how to fix it.

    (0, 0) mm is at the corner of the frame's first pixel, x points right as seen in the middle of
    the frame, y down, whichever way the board lay.
    """
    frame = (image.shape[1], image.shape[0])
    found = find(board, image)
    if isinstance(found, str):
        raise GeometryError(f"--plane {name}: {found}, and photograph it once more")
    undistorted = Correction(frame, lens, None)
    ideal = undistorted.to_corrected(found.pixels)
    solved, _ = cv2.findHomography(ideal, found.board_mm)
    matrix = np.zeros((3, 3)) if solved is None else np.asarray(solved, np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-15:
        raise GeometryError(
            f"--plane {name}: the board lies too flat to the view: photograph again"
        )
    upright = _upright(matrix, undistorted)
    oriented = _oriented(matrix, ideal)
    there = project(oriented, ideal)
    back = Correction(frame, lens, as_matrix(oriented)).to_frame(found.board_mm)
    rms = float(np.sqrt(((back - found.pixels) ** 2).sum(axis=1).mean()))
    if not rms <= WORST_RMS_PX or not np.isfinite(there).all():
        raise GeometryError(
            f"--plane {name}: the board is no plane there (RMS {rms:.2f} px, at most "
            f"{WORST_RMS_PX:g}): lay it flat, measure the lens first with --images, focus"
        )
    plane = as_matrix(upright)
    scale = _mm_per_pixel(Correction(frame, lens, plane))
    return PlaneResult(plane, rms, scale, _tilt(lens, np.linalg.inv(upright)))


def _mm_per_pixel(correction: Correction) -> float:
    """In the middle of the frame: the side of a square as large as one pixel is on the plane."""
    middle = np.array(correction.frame) / 2
    ends = correction.to_corrected(middle + np.array([(-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)]))
    across, down = ends[1] - ends[0], ends[3] - ends[2]
    return float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])))


def _oriented(matrix: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    """The homography with the sign that gives the points a positive weight."""
    weight = points.mean(axis=0) @ matrix[2, :2] + matrix[2, 2]
    return np.asarray(matrix / (np.linalg.norm(matrix) * np.sign(weight)), np.float64)


def _upright(matrix: NDArray[np.float64], lens: Correction) -> NDArray[np.float64]:
    """The homography with its axes along the picture's, its origin at the first pixel's corner."""
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
