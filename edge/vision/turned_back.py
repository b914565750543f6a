"""Masks and heatmaps of an aligned part, turned back to lie upright in the camera's frame."""

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.motion import chain, of_indices, scaled
from edge.vision.placement import Placement

PixelType = TypeVar("PixelType", np.uint8, np.float32)


def placement_in_frame(placement: Placement) -> Placement:
    """Where an upright mask lies that holds all of the input, at the input's scale.

    The placement itself where nothing was moved.
    """
    if placement.motion is None:
        return placement
    crop = placement.box_to_frame((0, 0, placement.width, placement.height))
    finest = max(placement.width / placement.crop[2], placement.height / placement.crop[3])
    width, height = (max(1, round(side * finest)) for side in crop[2:])
    return replace(placement, crop=crop, height=height, width=width, motion=None)


def turned_back(picture: NDArray[PixelType], placement: Placement) -> NDArray[PixelType]:
    """A mask (0 and 255) or heatmap [H, W] of the input at its `placement_in_frame`.

    No marked pixel is lost. What lies beyond the input is 0.
    """
    motion = placement.motion
    if motion is None:
        return picture
    there = placement_in_frame(placement)
    left, top, width, height = there.bounds
    to_units = scaled((width / there.width, height / there.height), (left, top))
    left, top, width, height = placement.bounds
    scale = placement.width / width, placement.height / height
    to_input = scaled(scale, (-left * scale[0], -top * scale[1]))
    matrix = of_indices(chain(to_input, motion.inverse, to_units))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(picture, matrix, (there.width, there.height), flags=flags)
    if picture.dtype == np.uint8:
        made = np.where(made > 0, 255, 0)
    return np.asarray(made, picture.dtype)
