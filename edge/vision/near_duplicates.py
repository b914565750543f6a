"""Near-duplicates: several frames of one part that has not moved count once."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

SAME_PART_MAX = 0.6
"""Mean difference in gray levels, at 64x64, below which two frames show the same part.

A second photograph of a part that has not moved differs by 0.3 (noise alone); the two most alike of
150 simulated or of 209 real parts (MVTec AD's bottles for training) by 1.1 or more. A part that has
moved by a pixel of 640 differs by 0.9: it counts as another one.
"""


def thumbnail(image: NDArray[np.uint8], side: int = 64) -> NDArray[np.float32]:
    """A frame (HWC BGR) reduced to side x side, gray."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def same_part(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two thumbnails show one part that has not moved."""
    return float(np.abs(one - other).mean()) < SAME_PART_MAX


class PartCounter:
    """Counts different parts by a thumbnail of each."""

    def __init__(self) -> None:
        self._thumbnails: list[NDArray[np.float32]] = []

    def number(self, image: NDArray[np.uint8]) -> int:
        """The number of the part in the frame (HWC BGR), from 0; a new number for a new part."""
        found = thumbnail(image)
        for number, known in enumerate(self._thumbnails):
            if same_part(found, known):
                return number
        self._thumbnails.append(found)
        return len(self) - 1

    def __len__(self) -> int:
        return len(self._thumbnails)


def part_numbers(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """The number of the part in each frame; near-duplicates have the same."""
    counter = PartCounter()
    return np.array([counter.number(image) for image in images], np.int64)
