"""The network's input size for pictures of a given size."""

from pathlib import Path

import numpy as np

from edge.base.errors import ImageError
from edge.vision.fit import Fit
from edge.vision.image_files import read_images

PIXELS = 320 * 320
"""Of the input, where nobody asks for another: enough for small defects, a training of minutes."""
LARGEST = 2.0
"""Small pictures are enlarged by no more than this."""
MULTIPLE = 32
LOOKED_AT = 9


def input_size(images: list[Path], fit: Fit, bit_depth: int | None) -> tuple[int, int]:
    """Height and width of the input in the proportions of what `fit` takes from the pictures.

    The median of some pictures counts. Both sides are multiples of 32. Raises ImageError where
    there are none, or the crop lies outside one.
    """
    if not images:
        raise ImageError("there are no good images: name a folder that holds some")
    some = images[:: max(1, len(images) // LOOKED_AT)]
    sizes = []
    for path, image in read_images(*some, bit_depth=bit_depth):
        try:
            sizes.append(fit.place((image.shape[1], image.shape[0])).crop[2:])
        except ValueError as error:
            raise ImageError(f"{path}: {error}; choose another --crop") from error
    width, height = np.median(np.array(sizes), axis=0)
    scale = min(LARGEST, (PIXELS / (height * width)) ** 0.5)
    return _rounded(height * scale), _rounded(width * scale)


def _rounded(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
