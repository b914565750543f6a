"""A smaller picture by area averaging: cv2.INTER_AREA to within rounding, faster for large ones.

OpenCV is fast where both sides shrink by whole factors; elsewhere it weighs byte after byte. Here a
matrix product weighs the rows, which leaves to OpenCV the columns of far fewer rows.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.frame import Size

ROWS_AT_ONCE = 4
"""Of the result: more would multiply with more zeros, fewer would convert more rows twice."""
STRIP = 16
"""Rows of the result that are held in float32 at a time."""
FEW_BYTES = 1 << 20
"""Of a picture; with fewer, OpenCV alone is as fast once other work has emptied the caches."""


class _Part(NamedTuple):
    """Some rows of the result: which of the strip, of which rows of the picture, with weights."""

    to: slice
    of: slice
    weights: NDArray[np.float32]


def area_resize(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """HWC or HW uint8, averaged to a width and height that are not larger."""
    (rows, columns), (width, height) = image.shape[:2], size
    whole = rows % height == 0 and columns % width == 0
    if whole or image.size < FEW_BYTES:
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    made = np.empty((height, width, *image.shape[2:]), np.uint8)
    for first in range(0, height, STRIP):
        strip = made[first : first + STRIP]
        weighed = _weighed(image, _parts(rows, height, first), len(strip))
        averaged = cv2.resize(weighed, (width, len(strip)), interpolation=cv2.INTER_AREA)
        cv2.convertScaleAbs(averaged, strip)  # rounds as OpenCV's own averaging does
    return made


def _weighed(image: NDArray[np.uint8], parts: tuple[_Part, ...], height: int) -> cv2.typing.MatLike:
    """The rows of a strip, float32, still as wide as the picture."""
    made = np.empty((height, *image.shape[1:]), np.float32)
    floats = np.empty((max(p.of.stop - p.of.start for p in parts), *image.shape[1:]), np.float32)
    for to, of, weights in parts:
        rows = floats[: of.stop - of.start]
        np.copyto(rows, image[of])
        np.matmul(weights, rows.reshape(len(rows), -1), out=made[to].reshape(len(weights), -1))
    return made


@lru_cache(maxsize=1024)
def _parts(rows: int, height: int, first: int) -> tuple[_Part, ...]:
    """Of the strip that begins at row `first` of a result of `height` rows."""
    last = min(first + STRIP, height)
    parts = []
    for top in range(first, last, ROWS_AT_ONCE):
        end = min(top + ROWS_AT_ONCE, last)
        of = slice(top * rows // height, -(-end * rows // height))
        edge = np.arange(top, end + 1)[:, None] * rows / height
        row = np.arange(of.start, of.stop)
        covered = np.minimum(edge[1:], row + 1) - np.maximum(edge[:-1], row)
        weights = (covered.clip(0) * height / rows).astype(np.float32)
        parts.append(_Part(slice(top - first, end - first), of, weights))
    return tuple(parts)
