"""Correct a frame's lens distortion and tilt: one remap into the model's input.

What would lie outside the camera's frame repeats the frame's edge.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.frame import Box
from edge.vision.lens import Points
from edge.vision.placement import Placement, pixel_centres
from edge.vision.polygon import outline

ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Warp:
    """How a frame becomes the model's input: `source` resized to `shape`, then remapped.

    `shape` is height and width; the maps are fixed-point, as cv2.convertMaps makes them.
    """

    source: Box
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

        Both methods then average the same pixels, to within one gray level, and OpenCV's INTER_AREA
        is slow where only one axis is halved.
        """
        sides = zip(self.source[2:], self.shape[::-1], strict=True)
        return all(long in (short, 2 * short) for long, short in sides)


@lru_cache(maxsize=8)
def warp_for(placement: Placement, averaged: bool) -> Warp:
    """The warp of a placement with a correction, made once: some tens of ms at 256x256.

    `averaged` first makes large frames smaller by whole factors, which OpenCV does several times as
    fast as by others; the remap does the rest. Without it the frame itself is sampled.
    """
    assert placement.correction is not None
    limits = np.array(placement.correction.frame)
    corners = outline(0, 0, placement.width, placement.height)
    border = np.clip(_frame_points(placement, corners), 0, limits)
    low = np.floor(border.min(axis=0) + ROUNDING).astype(int).clip(0, limits - 1)
    high = np.ceil(border.max(axis=0) - ROUNDING).astype(int).clip(low + 1, limits)
    crop, size = placement.crop, (placement.width, placement.height)
    scales = (crop[2] / size[0], crop[3] / size[1]) if averaged else (1.0, 1.0)
    x, width, small_width = _whole(int(low[0]), int(high[0]), int(limits[0]), scales[0])
    y, height, small_height = _whole(int(low[1]), int(high[1]), int(limits[1]), scales[1])
    shape = np.array((small_width, small_height))
    points = _frame_points(placement, pixel_centres(*size))
    mapped = ((points - (x, y)) * (shape / (width, height)) - 0.5).clip(-2, shape + 1.0)
    flat = mapped.reshape(size[1], size[0], 2).astype(np.float32)
    maps = cv2.convertMaps(flat[..., 0], flat[..., 1], cv2.CV_16SC2)
    first, second = np.asarray(maps[0], np.int16), np.asarray(maps[1], np.uint16)
    return Warp((x, y, width, height), (small_height, small_width), (first, second))


def _whole(low: int, high: int, limit: int, scale: float) -> tuple[int, int, int]:
    """Along one axis: where the source begins, its length, and its length after the resize.

    By a whole factor near `scale` where the frame has room for one, else by `scale` itself.
    """
    nearest = max(1, round(scale))
    for factor in (nearest, nearest + 1, max(1, nearest - 1)):
        small = -(-(high - low) // factor)
        if small * factor <= limit:
            return min(low, limit - small * factor), small * factor, small
    return low, high - low, max(1, round((high - low) / scale))


def _frame_points(placement: Placement, points: Points) -> Points:
    """Where the frame shows points of the model's input; (-1, -1) for what it cannot show."""
    assert placement.correction is not None
    corrected = placement.to_corrected(points)
    found = placement.correction.to_frame(corrected)
    found[~placement.correction.consistent(corrected, found)] = -1
    return found
