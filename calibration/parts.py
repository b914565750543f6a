"""Is it the same part again? Two frames of one part are one witness, not two."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 64
SAME = 0.6
"""Mean difference in gray levels, at 64x64, below which two frames show the same part.

A second photograph of the same part differs by 0.3 (noise alone); the two most alike of 150
simulated or of 209 real parts (MVTec AD's bottles for training) by 1.1 or more.
"""


class Seen:
    """The parts that were seen so far, by a small picture of each."""

    def __init__(self) -> None:
        self._thumbs: list[NDArray[np.float32]] = []

    def part(self, image: NDArray[np.uint8]) -> int:
        """The number of the part in the frame (HWC BGR), from 0; a new number if it is new."""
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        thumb = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        for number, known in enumerate(self._thumbs):
            if float(np.abs(thumb - known).mean()) < SAME:
                return number
        self._thumbs.append(thumb)
        return len(self._thumbs) - 1

    def __len__(self) -> int:
        return len(self._thumbs)


def distinct(images: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """For each frame the number of its part."""
    seen = Seen()
    return np.array([seen.part(image) for image in images], np.int64)
