"""Views of the board by one camera: those that can be used, and why the others cannot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.geometry.board import Board, BoardCorners, find

MOVED_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class BoardView:
    """A view of the board that can be used."""

    name: str
    found: BoardCorners


@dataclass(frozen=True)
class Refused:
    """A view that cannot be used, and why."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Views:
    """All views of a board by one camera; frames have one size, width and height."""

    board: Board
    frame: tuple[int, int] | None
    seen: tuple[BoardView, ...] = ()
    refused: tuple[Refused, ...] = ()

    def with_picture(self, name: str, image: NDArray[np.uint8]) -> "Views":
        """These views and one more: used, or refused with the reason."""
        size = (image.shape[1], image.shape[0])
        found = find(self.board, image)
        if isinstance(found, str):
            return self.without(name, found)
        if self.frame is not None and size != self.frame:
            return self.without(
                name, f"it is {size[0]}x{size[1]}, the others are {self.frame[0]}x{self.frame[1]}"
            )
        for other in self.seen:
            if _moved(other.found, found) < MOVED_SHARE * float(np.hypot(*size)):
                return self.without(name, f"the board lies as in {other.name}")
        return Views(self.board, size, (*self.seen, BoardView(name, found)), self.refused)

    def without(self, name: str, why: str) -> "Views":
        return Views(self.board, self.frame, self.seen, (*self.refused, Refused(name, why)))


def _moved(one: BoardCorners, other: BoardCorners) -> float:
    """Mean distance in pixels between the corners that both see; infinite where there are none."""
    _, i, j = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    if len(i) == 0:
        return float("inf")
    return float(np.linalg.norm(one.pixels[i] - other.pixels[j], axis=1).mean())
