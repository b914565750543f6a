"""Tiles: how a large picture is cut for a network with a small input, and put together again."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.vision.roi import Mask

MULTIPLE = 32
"""Of the sides of a network's input: its coarsest features come in steps of so many pixels."""
InputSide = Annotated[int, Field(ge=MULTIPLE, le=8192, multiple_of=MULTIPLE)]


class Tile(BaseModel):
    """The input of a network that judges pictures in tiles.

    Two tiles side by side share at least `overlap` pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    height: InputSide
    width: InputSide
    overlap: int = Field(ge=0)

    @model_validator(mode="after")
    def _overlap_leaves_something(self) -> "Tile":
        if 2 * self.overlap > min(self.height, self.width):
            raise ValueError(f"an overlap of {self.overlap} is more than half of the tile")
        return self


class Place(NamedTuple):
    """A tile's row and column in the grid of its plan."""

    row: int
    column: int


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles of a picture of height x width lie; no side is smaller than the tile's.

    They are spread evenly. Each pixel's weights of all tiles that cover it add up to 1.
    """

    height: int
    width: int
    tile: Tile

    def __post_init__(self) -> None:
        if self.height < self.tile.height or self.width < self.tile.width:
            raise ValueError(
                f"a picture of {self.width}x{self.height} is smaller than a tile of "
                f"{self.tile.width}x{self.tile.height}"
            )

    @cached_property
    def rows(self) -> list[int]:
        """The first pixel row of each row of tiles."""
        return _starts(self.height, self.tile.height, self.tile.overlap)

    @cached_property
    def columns(self) -> list[int]:
        """The first pixel column of each column of tiles."""
        return _starts(self.width, self.tile.width, self.tile.overlap)

    @property
    def places(self) -> list[Place]:
        """All tiles, row by row."""
        return [Place(r, c) for r in range(len(self.rows)) for c in range(len(self.columns))]

    def window(self, place: Place) -> tuple[slice, slice]:
        """The rows and columns of the picture that a tile covers."""
        y, x = self.rows[place.row], self.columns[place.column]
        return slice(y, y + self.tile.height), slice(x, x + self.tile.width)

    def weight(self, place: Place) -> NDArray[np.float32]:
        """The weight of each of a tile's pixels [h, w]."""
        down, across = self._weights
        return np.outer(down[place.row], across[place.column])

    def touching(self, *masks: Mask) -> list[Place]:
        """The tiles that cover a pixel of any mask [H, W]."""
        return [p for p in self.places if any(mask[self.window(p)].any() for mask in masks)]

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        tile = self.tile
        return (
            _ramps(self.rows, tile.height, tile.overlap),
            _ramps(self.columns, tile.width, tile.overlap),
        )


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    """The first pixels of as few tiles as cover a side, evenly spread."""
    count = -(-(side - overlap) // (tile - overlap))
    return [i * (side - tile) // max(1, count - 1) for i in range(count)]


def _ramps(starts: list[int], tile: int, overlap: int) -> NDArray[np.float32]:
    """The weights along one axis [tiles, tile].

    A network sees only one side of what lies at its input's border. So a quarter of the overlap
    has no weight there, and between two tiles the weight moves evenly from one to the other.
    """
    pixel = np.arange(tile) + 0.5
    whole = np.zeros(starts[-1] + tile)
    weights = np.empty((len(starts), tile))
    for i, start in enumerate(starts):
        before = pixel if i else np.full(tile, np.inf)
        after = tile - pixel if i < len(starts) - 1 else np.full(tile, np.inf)
        inward = np.minimum(np.minimum(before, after) - overlap / 4, tile)
        weights[i] = np.maximum(inward, 0)
        whole[start : start + tile] += weights[i]
    for i, start in enumerate(starts):
        weights[i] /= whole[start : start + tile]
    return weights.astype(np.float32)
