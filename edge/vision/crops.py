"""Images, masks and heatmaps laid over a placement's crop, for reports and ground truth; slow."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.placement import Placement, pixel_centres

PixelType = TypeVar("PixelType", np.uint8, np.bool_)


def corrected_crop(image: NDArray[PixelType], placement: Placement) -> NDArray[PixelType]:
    """The crop of an image or mask at its own size, corrected and aligned as `fit` does.

    Nearest pixels.
    """
    x, y, width, height = placement.crop
    if placement.correction is None and placement.motion is None:
        return image[y : y + height, x : x + width]
    scale = (placement.width / width, placement.height / height)
    points = placement.points_to_frame(pixel_centres(width, height) * scale)
    limits = (image.shape[1] - 1, image.shape[0] - 1)
    columns, rows = np.floor(np.nan_to_num(points)).clip(0, limits).astype(int).T
    found: NDArray[PixelType] = image[rows, columns].reshape(height, width, *image.shape[2:])
    return found


def heatmap_on_crop(heatmap: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """A heatmap [H, W] laid over the crop of the camera's frame, at the crop's size.

    That of an aligned part is turned back before (see turned_back.py).
    """
    x, y, width, height = placement.crop
    if placement.correction is None:
        large = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)
    points = placement.points_to_model(pixel_centres(width, height) + np.array((x, y))) - 0.5
    across, down = cv2.split(points.reshape(height, width, 2).astype(np.float32))
    large = cv2.remap(heatmap, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(large, np.float32)
