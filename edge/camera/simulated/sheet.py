"""Brushed metal sheets before a large camera: pictures of any size, cracks of a few pixels.

Made for what `PartRenderer` cannot show: defects that are small beside the whole picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.simulated.drawing import FINE, FloatMap, Mask, Rng, f32
from edge.camera.simulated.renderer import Part

MARGIN = 256
"""Pixels by which the sheet passes at another place, anew for each part."""
GRAY, STREAKS, GRAIN, CLOUDS, SENSOR = 128.0, 7.0, 4.0, 5.0, 2.0
"""Gray levels: the mean, and 1 sigma of brush marks, grain, slow changes and the sensor."""
CRACK_WIDTH = (2.0, 4.0)
CRACK_LENGTH = (80.0, 240.0)
CRACK_DARKER = (35.0, 70.0)
STEP, BORDER = 6.0, 6
VISIBLE = 12.0


class SheetRenderer:
    """A line of metal sheets of height x width pixels; `seed` is the production run."""

    def __init__(self, height: int, width: int, seed: int = 0) -> None:
        self._height, self._width, self._seed = height, width, seed
        size = (height + MARGIN, width + MARGIN)
        draw = np.random.default_rng((seed, 21))
        self._surface = _surface(draw, size)
        self._noise = SENSOR * draw.standard_normal(size, np.float32)

    def part(self, index: int, *, defective: bool = False, empty: bool = False) -> Part:
        """The photograph of sheet `index`, gray as BGR; `empty` shows the dark conveyor.

        A pure function of the arguments and the seed. A defective sheet is the good one of the same
        index with one crack of 2 to 4 pixels in width.
        """
        rng = np.random.default_rng((self._seed, index, 22))
        scene = self._window(self._surface, rng)
        for axis in (0, 1):
            if rng.random() < 0.5:
                scene = cv2.flip(scene, axis)
        scene = f32(scene * (1 + rng.normal(0, 0.02)))
        if empty:
            scene = np.full_like(scene, 30)
        truth, defect = np.zeros(scene.shape, np.uint8), None
        if defective and not empty:
            defect = "crack"
            scene, truth = _cracked(scene, np.random.default_rng((self._seed, index, 23)))
        gray = np.asarray(cv2.convertScaleAbs(scene + self._window(self._noise, rng)), np.uint8)
        return Part(np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8), truth, defect)

    def _window(self, field: FloatMap, rng: Rng) -> FloatMap:
        y, x = (int(v) for v in rng.integers(0, MARGIN, 2))
        return f32(field[y : y + self._height, x : x + self._width])


def _surface(draw: Rng, size: tuple[int, int]) -> FloatMap:
    """Brush marks along the rolling direction, grain, and slow changes of the gloss."""
    streaks = cv2.GaussianBlur(draw.standard_normal(size, np.float32), (0, 0), 40, sigmaY=0.8)
    grain = cv2.GaussianBlur(draw.standard_normal(size, np.float32), (0, 0), 0.9)
    few = draw.standard_normal((size[0] // 128 + 2, size[1] // 128 + 2), np.float32)
    clouds = cv2.resize(few, size[::-1], interpolation=cv2.INTER_CUBIC)
    made = GRAY + sum(
        f32(field * np.float32(sigma / field.std()))
        for field, sigma in ((streaks, STREAKS), (grain, GRAIN), (clouds, CLOUDS))
    )
    return f32(made)


def _cracked(scene: FloatMap, rng: Rng) -> tuple[FloatMap, Mask]:
    """The scene with one crack, and 255 where it is visible."""
    height, width = scene.shape
    steps = max(2, int(rng.uniform(*CRACK_LENGTH) / STEP))
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.2, steps))
    path = STEP * np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0)
    path -= path.min(axis=0) - BORDER
    ink = _stroke(path, rng.uniform(*CRACK_WIDTH))[:height, :width]
    rows, columns = ink.shape
    y, x = (int(rng.integers(0, free + 1)) for free in (height - rows, width - columns))
    drop = np.zeros_like(scene)
    drop[y : y + rows, x : x + columns] = ink * np.float32(rng.uniform(*CRACK_DARKER))
    return f32(np.maximum(scene - drop, 0)), np.asarray(255 * (drop > VISIBLE), np.uint8)


def _stroke(path: FloatMap, width: float) -> FloatMap:
    """A line through points (N x 2 px), 1 on it; drawn larger and shrunk, for a true width."""
    columns, rows = (int(side) + BORDER for side in np.ceil(path.max(axis=0)))
    fine = np.full((rows * FINE, columns * FINE), 255, np.uint8)
    points = np.round(path * FINE).astype(np.int32)[None]
    cv2.polylines(fine, [points], False, 0, 1)
    away = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = f32(away <= width * FINE / 2)  # OpenCV's widths are odd numbers of pixels
    small = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_AREA)
    return f32(cv2.GaussianBlur(small, (3, 3), 0.5))


def drawn_size(text: str) -> tuple[int, int]:
    """Width and height from 2448x2048. Raises ValueError."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ValueError("write WIDTHxHEIGHT, as 2448x2048")
    width, height = (int(side) for side in sides)
    if not (min(width, height) >= 256 and max(width, height) <= 8192):
        raise ValueError("a sheet has sides of 256 to 8192 pixels")
    return width, height
