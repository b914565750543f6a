"""golden.npz: frames with the trained network's outputs, and those of an untrained one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.base.errors import ProductError
from edge.base.npz import read_npz
from edge.product.product import Product

MOST_BYTES = 1 << 30
FRAMES = 16
MOST_INPUT_PIXELS = MOST_BYTES // (FRAMES * (3 + 4 + 4) + 1)
"""Of a network's input: so many fit into golden.npz with two heatmaps for each frame."""
HIGHEST = 1.01
"""Scores and heat are probabilities; an average of many may be a little more than 1."""

Array = NDArray[np.float32]


class Golden(NamedTuple):
    """Frames [N, H, W, 3]; scores [N] and heatmaps [N, H, W] of both networks."""

    frames: NDArray[np.uint8]
    score: Array
    heatmap: Array
    negative_score: Array
    negative_heatmap: Array


def read_golden(product: Product) -> Golden:
    """A product's golden frames, complete and finite. Raises ProductError."""
    path = product.path / "golden.npz"
    types: dict[str, DTypeLike] = dict.fromkeys(Golden._fields, np.float32)
    types["frames"] = np.uint8
    try:
        arrays = read_npz(path, types, MOST_BYTES)
        _check(arrays, product.shape)
    except ValueError as error:
        raise ProductError(
            f"{path} cannot be used ({error}): restore it from a backup, or train again"
        ) from error
    return Golden(**arrays)


def _check(arrays: Mapping[str, NDArray[Any]], height_width: tuple[int, int]) -> None:
    """Raise ValueError unless all shapes and values are possible."""
    frames = arrays["frames"]
    count = len(frames) if frames.ndim else 0
    if not count:
        raise ValueError("it has no frames")
    maps = (count, *height_width)
    shapes = ((*maps, 3), (count,), maps, (count,), maps)
    for (name, array), shape in zip(arrays.items(), shapes, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name} is {list(array.shape)}, not {list(shape)}")
        if not (array.min() >= 0 and (array.dtype == np.uint8 or array.max() <= HIGHEST)):
            raise ValueError(f"{name} has values that are no probabilities")
