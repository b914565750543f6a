"""Pictures of parts that lie turned and shifted on a plain belt, drawn anew for each pose."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

FRAME = (640, 480)
MIDDLE = (320.0, 240.0)
BELT = 60
Image = NDArray[np.uint8]
Draw = Callable[[Image], None]
NO_MOTION = np.eye(2, 3)


def bracket(image: Image) -> None:
    """A part with a notch, two holes of different size and a print: no turn looks like another."""
    body = np.array([(210, 180), (430, 180), (430, 300), (330, 300), (330, 260), (210, 260)])
    cv2.fillPoly(image, [body], (190, 180, 170))
    cv2.circle(image, (245, 220), 18, (70, 70, 70), -1)
    cv2.circle(image, (395, 265), 10, (70, 70, 70), -1)
    cv2.putText(image, "A7", (290, 225), cv2.FONT_HERSHEY_SIMPLEX, 1, (90, 90, 90), 3)


def washer(image: Image) -> None:
    """A round part: every turn looks the same."""
    cv2.circle(image, (320, 240), 100, (190, 180, 170), -1)
    cv2.circle(image, (320, 240), 45, (BELT, BELT, BELT), -1)


def gear(image: Image) -> None:
    """Another part of about the bracket's size."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = np.where(np.arange(24) % 2, 75, 110)
    points = np.stack([320 + radius * np.cos(angles), 240 + radius * np.sin(angles)], axis=1)
    cv2.fillPoly(image, [points.astype(int)], (190, 180, 170))
    cv2.rectangle(image, (300, 220), (340, 260), (70, 70, 70), -1)


def nothing(image: Image) -> None:
    """An empty belt."""


def motion(turn: float, x: float = 0, y: float = 0) -> NDArray[np.float64]:
    """2x3: a turn in degrees, clockwise in the picture, about the middle, then a shift; in pixels.

    Points count from the outer corner of the first pixel.
    """
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turned, MIDDLE - turned @ MIDDLE + (x, y)])


def photograph(draw: Draw, moved: NDArray[np.float64] = NO_MOTION, seed: int = 0) -> Image:
    """480x640 BGR: the part in that pose, in slightly uneven light, with noise.

    What the part is cut from is larger than the frame, so that the belt has no edge.
    """
    large = np.full((480, 640, 3), BELT, np.uint8)
    draw(large)
    half = np.array([0.5, 0.5])
    indices = np.column_stack([moved[:, :2], moved[:, :2] @ half + moved[:, 2] - half])
    color = (BELT, BELT, BELT)
    shown = cv2.warpAffine(large, indices, FRAME, borderMode=cv2.BORDER_CONSTANT, borderValue=color)
    rng = np.random.default_rng(seed)
    slope = rng.uniform(-0.1, 0.1, 2)
    light = (
        1 + slope[0] * np.linspace(-1, 1, 640)[None] + slope[1] * np.linspace(-1, 1, 480)[:, None]
    )
    noise = rng.normal(0, 2, (480, 640, 1))
    return np.asarray(np.clip(shown * light[..., None] + noise, 0, 255), np.uint8)


def applied(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The images of points [N, 2]."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)
