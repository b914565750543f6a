"""Which frames show which part."""

import numpy as np
from numpy.typing import NDArray

from edge.part import same_part, thumbnail


class Seen:
    """The parts that were seen so far, by a small picture of each."""

    def __init__(self) -> None:
        self._thumbs: list[NDArray[np.float32]] = []

    def part(self, image: NDArray[np.uint8]) -> int:
        """The number of the part in the frame (HWC BGR), from 0; a new number if it is new."""
        thumb = thumbnail(image)
        for number, known in enumerate(self._thumbs):
            if same_part(thumb, known):
                return number
        self._thumbs.append(thumb)
        return len(self._thumbs) - 1

    def __len__(self) -> int:
        return len(self._thumbs)


def distinct(images: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """For each frame the number of its part."""
    seen = Seen()
    return np.array([seen.part(image) for image in images], np.int64)
