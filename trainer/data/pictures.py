"""Pictures for training, and crops of them: nothing is copied before it is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Corner(NamedTuple):
    """The first pixel of a crop in one of the pictures; it may lie outside."""

    picture: int
    y: int
    x: int


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some rows of a store of pictures uint8 [N, H, W, 3]"""

    store: NDArray[np.uint8]
    rows: list[int]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self.store[row] for row in self.rows)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self.store[self.rows[i]]
        return picture

    @property
    def height_width(self) -> tuple[int, int]:
        return self.store.shape[1], self.store.shape[2]

    def all(self) -> NDArray[np.uint8]:
        """A copy of them all, [N, H, W, 3]."""
        return self.store[self.rows]

    def crops(self, corners: list[Corner], height: int, width: int) -> NDArray[np.uint8]:
        """Crops [N, height, width, 3]; what lies beyond a picture's border is mirrored."""
        return np.stack([self._crop(corner, height, width) for corner in corners])

    def _crop(self, corner: Corner, height: int, width: int) -> NDArray[np.uint8]:
        picture, (rows, columns) = self[corner.picture], self.height_width
        top, left = max(0, -corner.y), max(0, -corner.x)
        bottom = max(0, corner.y + height - rows)
        right = max(0, corner.x + width - columns)
        part = picture[max(0, corner.y) : corner.y + height, max(0, corner.x) : corner.x + width]
        if top or left or bottom or right:
            part = np.asarray(
                cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REFLECT), np.uint8
            )
        return part
