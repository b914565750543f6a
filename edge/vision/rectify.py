"""The corrected picture of a crop: an upright rectangle that holds all of the crop.

It shows a little more than the crop where the lens bends its edges: what lies in the crop is
always inspected. What would lie outside the camera's frame repeats the frame's edge.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.lens import Correction, Points

STEPS = 32
KEPT = 8
ROUNDING = 1e-6


@dataclass(frozen=True)
class View:
    """Where the model's input (`size`: height, width) lies in the corrected picture.

    `left`, `top`, `wide`, `high` in its units: mm, or ideal pixels.
    """

    correction: Correction
    crop: tuple[int, int, int, int]
    size: tuple[int, int]
    left: float
    top: float
    wide: float
    high: float

    def to_corrected(self, points: Points) -> Points:
        """From pixels of the model's input."""
        return points * self._scale() + (self.left, self.top)

    def to_frame(self, points: Points) -> Points:
        """From pixels of the model's input to those of the camera's frame."""
        return self.correction.to_frame(self.to_corrected(points))

    def from_frame(self, points: Points) -> Points:
        """From pixels of the camera's frame to those of the model's input."""
        corrected = self.correction.to_corrected(points)
        return np.asarray((corrected - (self.left, self.top)) / self._scale(), np.float64)

    def _scale(self) -> tuple[float, float]:
        return self.wide / self.size[1], self.high / self.size[0]


@dataclass(frozen=True, eq=False)
class Warp:
    """How a frame becomes the model's input: `source` resized to `shape`, then remapped.

    `shape` is height and width; the maps are fixed-point, as cv2.convertMaps makes them.
    """

    source: tuple[int, int, int, int]
    shape: tuple[int, int]
    maps: tuple[NDArray[np.int16], NDArray[np.uint16]]

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        x, y, width, height = self.source
        small = image[y : y + height, x : x + width]
        if self.shape != (height, width):
            method = cv2.INTER_LINEAR if self._halves() else cv2.INTER_AREA
            small = np.asarray(cv2.resize(small, self.shape[::-1], interpolation=method), np.uint8)
        flat = cv2.remap(small, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(flat, np.uint8)

    def _halves(self) -> bool:
        """Whether each axis is kept or halved.

        There both methods average the same pixels, to within one gray level, and OpenCV's for areas
        is slow where only one axis is halved.
        """
        sides = zip(self.source[2:], self.shape[::-1], strict=True)
        return all(long in (short, 2 * short) for long, short in sides)


def outline(x: float, y: float, width: float, height: float) -> Points:
    """Points around a box, close enough to follow a bent edge."""
    corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    return densified(corners)


def densified(corners: Points) -> Points:
    """Points along a polygon's edges."""
    share = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    pairs = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate([a + (b - a) * share for a, b in pairs])


@lru_cache(maxsize=KEPT)
def view_of(correction: Correction, crop: tuple[int, int, int, int], size: tuple[int, int]) -> View:
    """The view of a crop: the smallest upright rectangle around it, corrected."""
    flat = correction.to_corrected(outline(*crop))
    low, high = flat.min(axis=0), flat.max(axis=0)
    (left, top), (wide, tall) = low.tolist(), (high - low).tolist()
    return View(correction, crop, size, left, top, wide, tall)


@lru_cache(maxsize=KEPT)
def warp_of(view: View, averaged: bool) -> Warp:
    """The maps of a view, made once: some tens of milliseconds at 256x256.

    `averaged` makes large frames smaller by whole factors first, which OpenCV does several times as
    fast as by others; the remap does the rest. Without it the frame itself is sampled.
    """
    rows, columns = view.size
    centres = np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), axis=-1)
    seen = _seen(view, centres.reshape(-1, 2))
    limits = np.array(view.correction.frame)
    border = np.clip(_seen(view, outline(0, 0, columns, rows)), 0, limits)
    low = np.floor(border.min(axis=0) + ROUNDING).astype(int).clip(0, limits - 1)
    high = np.ceil(border.max(axis=0) - ROUNDING).astype(int).clip(low + 1, limits)
    scales = (view.crop[2] / columns, view.crop[3] / rows) if averaged else (1.0, 1.0)
    x, width, small_width = _whole(int(low[0]), int(high[0]), int(limits[0]), scales[0])
    y, height, small_height = _whole(int(low[1]), int(high[1]), int(limits[1]), scales[1])
    shape = np.array((small_width, small_height))
    mapped = ((seen - (x, y)) * (shape / (width, height)) - 0.5).clip(-2, shape + 1.0)
    flat = mapped.reshape(rows, columns, 2).astype(np.float32)
    maps = cv2.convertMaps(flat[..., 0], flat[..., 1], cv2.CV_16SC2)
    first, second = np.asarray(maps[0], np.int16), np.asarray(maps[1], np.uint16)
    return Warp((x, y, width, height), (small_height, small_width), (first, second))


def _whole(low: int, high: int, limit: int, scale: float) -> tuple[int, int, int]:
    """Along one axis: where the source begins, its length, and that length made smaller.

    By a whole factor next to `scale` where the frame has room for one, else by `scale` itself.
    """
    nearest = max(1, round(scale))
    for factor in (nearest, nearest + 1, max(1, nearest - 1)):
        small = -(-(high - low) // factor)
        if small * factor <= limit:
            return min(low, limit - small * factor), small * factor, small
    return low, high - low, max(1, round((high - low) / scale))


def _seen(view: View, points: Points) -> Points:
    """Where the frame shows points of the model's input; (-1, -1) for what it cannot show."""
    corrected = view.to_corrected(points)
    seen = view.correction.to_frame(corrected)
    seen[~view.correction.seen_once(corrected, seen)] = -1
    return seen
