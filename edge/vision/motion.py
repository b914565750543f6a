"""How a part lies in a frame, compared with the reference picture: turned and shifted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.vision.frame import Size
from edge.vision.lens import Points

Affine = NDArray[np.float64]
"""2x3; points count from the outer corner of the first pixel."""


@dataclass(frozen=True)
class Motion:
    """The reference is turned about `centre`, then shifted.

    `turn` is in degrees, clockwise as seen in the picture. `centre` and `shift` are in units of the
    corrected image, or in camera pixels; `frame` is the size of the camera's frame, `quality` the
    correlation with the reference.
    """

    turn: float
    shift: tuple[float, float]
    centre: tuple[float, float]
    frame: Size
    quality: float = 1.0

    def to_frame(self, points: Points) -> Points:
        """From where the reference has a point to where this frame has it."""
        return applied(self.matrix, points)

    def to_reference(self, points: Points) -> Points:
        """The inverse."""
        return applied(self.inverse, points)

    @property
    def matrix(self) -> Affine:
        """From the reference to this frame."""
        return moved(self.turn, self.centre, self.shift)

    @property
    def inverse(self) -> Affine:
        """From this frame to the reference."""
        still = scaled((1, 1), (-self.shift[0], -self.shift[1]))
        return chain(moved(-self.turn, self.centre, (0, 0)), still)


def moved(turn: float, centre: tuple[float, float], shift: tuple[float, float]) -> Affine:
    """A turn in degrees, clockwise as seen in the picture, about `centre`, then a shift."""
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turned, np.array(centre) - turned @ np.array(centre) + shift])


def turned_growth(width: float, height: float, turn: float) -> tuple[float, float]:
    """By how much the upright box around a rectangle grows, at most, when it turns up to `turn`.

    To either side, in degrees.
    """
    angles = np.deg2rad(np.linspace(0, min(turn, 90), 91))
    across = (width * np.cos(angles) + height * np.sin(angles)).max() - width
    down = (height * np.cos(angles) + width * np.sin(angles)).max() - height
    return float(across), float(down)


def scaled(scale: tuple[float, float], origin: tuple[float, float]) -> Affine:
    """Multiplies by `scale`, then adds `origin`."""
    return np.array([[scale[0], 0, origin[0]], [0, scale[1], origin[1]]], np.float64)


def chain(*maps: Affine) -> Affine:
    """One map for several; the last one is applied first."""
    made = np.eye(3)
    for one in maps:
        made = made @ np.vstack([one, (0, 0, 1)])
    return np.asarray(made[:2], np.float64)


def applied(matrix: Affine, points: Points) -> Points:
    """The images of points [N, 2]."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def of_indices(matrix: Affine) -> Affine:
    """The same map between OpenCV's pixels, which count from the first one's centre."""
    half = np.array([0.5, 0.5])
    return np.column_stack([matrix[:, :2], matrix[:, :2] @ half + matrix[:, 2] - half])
