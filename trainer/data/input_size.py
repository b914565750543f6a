"""The network's input size for pictures of a given size."""

from pathlib import Path

import numpy as np

from edge.vision.frame import Box
from edge.vision.image_files import read_images

PIXELS = 320 * 320
"""Of the input, where nobody asks for another: enough for small defects, a training of minutes."""
LARGEST = 2.0
"""Small pictures are enlarged by no more than this."""
MULTIPLE = 32
LOOKED_AT = 9


def input_size(images: list[Path], crop: Box | None, bit_depth: int | None) -> tuple[int, int]:
    """Height and width of the input in the proportions of the pictures, or of their crop.

    The median of some pictures counts. Both sides are multiples of 32.
    """
    if crop:
        width, height = float(crop[2]), float(crop[3])
    else:
        some = images[:: max(1, len(images) // LOOKED_AT)]
        sizes = [image.shape[:2] for _, image in read_images(*some, bit_depth=bit_depth)]
        height, width = np.median(np.array(sizes), axis=0)
    scale = min(LARGEST, (PIXELS / (height * width)) ** 0.5)
    return _rounded(height * scale), _rounded(width * scale)


def _rounded(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
