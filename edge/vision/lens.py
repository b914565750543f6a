"""Lens distortion and the part's plane: from the camera's frame to the corrected image, and back.

Points are [N, 2], (x, y), float64; pixels count from the outer corner of the first one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

Points = NDArray[np.float64]
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]

EXACT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)
COEFFICIENTS = (4, 5, 8, 12)


class Lens(BaseModel):
    """OpenCV's camera matrix in frame pixels, and its distortion k1, k2, p1, p2[, k3[, ...]]."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    camera_matrix: Matrix
    distortion: tuple[float, ...]

    @field_validator("camera_matrix")
    @classmethod
    def _is_camera_matrix(cls, matrix: Matrix) -> Matrix:
        (fx, skew, _), (below, fy, _), last = matrix
        if fx <= 0 or fy <= 0 or skew or below or last != (0, 0, 1):
            raise ValueError("a camera matrix is (fx, 0, cx), (0, fy, cy), (0, 0, 1)")
        return matrix

    @field_validator("distortion")
    @classmethod
    def _has_known_count(cls, distortion: tuple[float, ...]) -> tuple[float, ...]:
        if len(distortion) not in COEFFICIENTS:
            raise ValueError(f"give {', '.join(map(str, COEFFICIENTS))} coefficients")
        return distortion

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Camera matrix [3, 3] and distortion, as OpenCV takes them."""
        return np.array(self.camera_matrix, np.float64), np.array(self.distortion, np.float64)


@dataclass(frozen=True)
class Correction:
    """Lens first, then the part's plane; either may be missing.

    Corrected points are mm on the plane, or undistorted pixels where there is no plane.
    """

    frame: tuple[int, int]
    lens: Lens | None
    plane: Matrix | None

    def to_corrected(self, points: Points) -> Points:
        """From the frame; NaN where a point lies beyond the plane's horizon."""
        if self.lens is not None:
            matrix, distortion = self.lens.arrays()
            columns = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 2)
            ideal = cv2.undistortPoints(columns, matrix, distortion, P=matrix, criteria=EXACT)
            points = np.asarray(ideal, np.float64).reshape(-1, 2)
        return points if self.plane is None else project(self._plane(), points)

    def to_frame(self, points: Points) -> Points:
        """The inverse. A point far outside the frame may come back inside: see `consistent`."""
        if self.plane is not None:
            points = project(np.linalg.inv(self._plane()), points)
        return points if self.lens is None else distort(self.lens, points)

    def consistent(self, corrected: Points, frame: Points) -> NDArray[np.bool_]:
        """Which pairs are one point: a lens's polynomial folds back far outside the frame."""
        usable = np.nan_to_num(frame, nan=-1e6)
        near = np.linalg.norm(self.to_corrected(usable) - corrected, axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(near < 1e-3 * np.abs(np.ptp(corrected, axis=0)).max(), np.bool_)

    def grid(self, count: int) -> Points:
        """[count, count, 2] points over the whole frame, edges included."""
        sides = (np.linspace(0, side, count) for side in self.frame)
        return np.stack(np.meshgrid(*sides), axis=-1)

    def _plane(self) -> NDArray[np.float64]:
        """The homography, its sign such that what lies before the camera has a positive weight."""
        matrix = np.array(self.plane, np.float64)
        middle = np.array([[self.frame[0] / 2, self.frame[1] / 2]])
        if self.lens is not None:
            middle = Correction(self.frame, self.lens, None).to_corrected(middle)
        weight = matrix[2, :2] @ middle[0] + matrix[2, 2]
        return matrix if weight >= 0 else -matrix


def project(matrix: NDArray[np.floating], points: Points) -> Points:
    """A homography; NaN for what lies behind the camera or overflows."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    weight = np.where(mapped[:, 2] > 0, mapped[:, 2], np.nan)
    with np.errstate(over="ignore"):
        projected = np.asarray(mapped[:, :2] / weight[:, None], np.float64)
    return np.where(np.isfinite(projected), projected, np.nan)


def distort(lens: Lens, points: Points) -> Points:
    """From undistorted pixels to where the lens shows them."""
    matrix, distortion = lens.arrays()
    rays = np.ones((len(points), 3))
    rays[:, :2] = (points - matrix[:2, 2]) / (matrix[0, 0], matrix[1, 1])
    still = np.zeros(3)
    shown = cv2.projectPoints(rays, still, still, matrix, distortion)[0]
    return np.asarray(shown, np.float64).reshape(-1, 2)
