"""The network's input size for pictures of a given size."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.base.errors import ImageError
from edge.vision.fit import Fit
from edge.vision.image_files import read_images
from edge.vision.tiles import MULTIPLE

PIXELS = 320 * 320
"""Of the input, where nobody asks for another: enough for small defects, a training of minutes."""
LARGEST = 2.0
"""Small pictures are enlarged by no more than this."""
LOOKED_AT = 9


class Seen(NamedTuple):
    """What a product's pictures show before they are resized: pixels, and mm where measured."""

    height: float
    width: float
    height_mm: float | None
    width_mm: float | None


def seen_by(images: list[Path], fit: Fit, bit_depth: int | None) -> Seen:
    """The median of what `fit` takes from some pictures.

    Raises ImageError where there are none, or the crop lies outside one.
    """
    if not images:
        raise ImageError("there are no good images: name a folder that holds some")
    some = images[:: max(1, len(images) // LOOKED_AT)]
    places = []
    for path, image in read_images(*some, bit_depth=bit_depth):
        try:
            places.append(fit.place((image.shape[1], image.shape[0])))
        except ValueError as error:
            raise ImageError(f"{path}: {error}; choose another --crop") from error
    width, height = np.median(np.array([place.crop[2:] for place in places]), axis=0)
    shown = [place.box_to_mm((0, 0, place.width, place.height)) for place in places]
    if any(box is None for box in shown):
        return Seen(float(height), float(width), None, None)
    mm = np.median(np.array(shown), axis=0)
    return Seen(float(height), float(width), float(mm[3]), float(mm[2]))


def usual_size(seen: Seen) -> tuple[int, int]:
    """Height and width of the input in the pictures' proportions, multiples of 32."""
    scale = min(LARGEST, (PIXELS / (seen.height * seen.width)) ** 0.5)
    return round_side(seen.height * scale), round_side(seen.width * scale)


def round_side(side: float) -> int:
    """The nearest side that an input can have."""
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
