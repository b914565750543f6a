"""A plane seen through a known camera: what a perfect photograph of it would be."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.geometry import Geometry
from edge.vision.lens import Correction, Lens, Points, project

FRAME = (640, 480)
LENS = Lens(
    camera_matrix=((810.0, 0, 327.0), (0, 806.0, 236.0), (0, 0, 1)),
    distortion=(-0.22, 0.08, 0.001, -0.0008, 0),
)
FINER = 3


def plane(tilt_x: float = 12, tilt_y: float = -9, distance_mm: float = 400) -> NDArray[np.float64]:
    """Homography from mm on a tilted plane to ideal pixels; (0, 0) mm lies near the middle."""
    turn = cv2.Rodrigues(np.radians([tilt_x, tilt_y, 0]))[0]
    pose = np.column_stack([turn[:, 0], turn[:, 1], (0, 0, distance_mm)])
    return np.asarray(np.array(LENS.camera_matrix) @ pose, np.float64)


def measured(to_pixels: NDArray[np.float64], lens: Lens | None = LENS) -> Geometry:
    """The true geometry of that camera."""
    back = np.linalg.inv(to_pixels)
    rows = [tuple(float(v) for v in row) for row in back / back[2, 2]]
    return Geometry.model_validate({"frame": FRAME, "lens": lens, "plane": rows})


def photograph(
    picture: NDArray[np.uint8],
    per_mm: float,
    corner_mm: tuple[float, float],
    to_pixels: NDArray[np.float64],
    lens: Lens | None = LENS,
    frame: tuple[int, int] = FRAME,
) -> NDArray[np.uint8]:
    """The camera's frame of a flat picture (gray) that lies on the plane from `corner_mm` on.

    Every pixel is the mean of 3x3 samples.
    """  # fmt: skip
    flat = project(np.linalg.inv(to_pixels), _rays(lens, frame))
    place = ((flat - corner_mm) * per_mm - 0.5).reshape(frame[1] * FINER, frame[0] * FINER, 2)
    across, down = cv2.split(place.astype(np.float32))
    seen = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderValue=(120,))
    return np.asarray(cv2.resize(seen, frame, interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache
def _rays(lens: Lens | None, frame: tuple[int, int]) -> Points:
    """The ideal pixels of all samples of a frame."""
    fine = (np.arange(side * FINER) / FINER + 0.5 / FINER for side in frame)
    points: Points = np.stack(np.meshgrid(*fine), axis=-1).reshape(-1, 2)
    return Correction(frame, lens, None).to_corrected(points)
