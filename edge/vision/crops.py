"""Between the camera's frame and what the product sees of it, for people and truths: slow paths."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.fit import Placement
from edge.vision.lens import Points

Kind = TypeVar("Kind", np.uint8, np.bool_)


def as_seen(picture: NDArray[Kind], placement: Placement) -> NDArray[Kind]:
    """The crop of a picture at its own size, corrected as `fit` does; the nearest pixel each."""
    x, y, width, height = placement.crop
    if placement.view is None:
        return picture[y : y + height, x : x + width]
    scale = (placement.width / width, placement.height / height)
    points = placement.view.to_frame(_centres(width, height) * scale)
    limits = (picture.shape[1] - 1, picture.shape[0] - 1)
    columns, rows = np.floor(np.nan_to_num(points)).clip(0, limits).astype(int).T
    seen: NDArray[Kind] = picture[rows, columns].reshape(height, width, *picture.shape[2:])
    return seen


def on_crop(heatmap: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """A map of the model [H, W] laid over the crop of the camera's frame, at the crop's size."""
    x, y, width, height = placement.crop
    if placement.view is None:
        large = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)
    points = placement.to_model(_centres(width, height) + np.array((x, y))) - 0.5
    across, down = cv2.split(points.reshape(height, width, 2).astype(np.float32))
    laid = cv2.remap(heatmap, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.float32)


def _centres(width: int, height: int) -> Points:
    """[N, 2] centres of all pixels, row by row."""
    grid = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack(grid, axis=-1).reshape(-1, 2)
