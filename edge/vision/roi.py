"""Regions of interest: the masks of their polygons, and the score of each.

The score is the network's: the maximum of the heatmap averaged over the product's window, with
only the region's own heat in it.
"""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.geometry import Geometry
from edge.vision.lens import Points
from edge.vision.placement import Placement
from edge.vision.polygon import Polygon, densify

SUBPIXEL_BITS = 4
ALWAYS = 1e9
"""The share of a threshold that every score reaches; finite, so that images can be ranked."""

Mask = NDArray[np.bool_]


def pooled_maximum(heatmap: NDArray[np.float32], window: int) -> float:
    """The maximum of the average over a square window, stride 1, zeros around the map."""
    pooled = cv2.boxFilter(heatmap, -1, (window, window), borderType=cv2.BORDER_CONSTANT)
    return float(pooled.max())


def masks_of(geometry: Geometry, placement: Placement) -> Mapping[str, Mask]:
    """The mask [H, W] of each region of interest at the model's size; made once, then cached.

    The polygons lie in the camera's frame, of aligned parts in that of the reference picture.
    A pixel that a polygon only touches belongs to it.
    """
    return _masks(geometry.polygons, placement.of_reference)


@lru_cache(maxsize=8)
def _masks(polygons: tuple[tuple[str, Polygon], ...], placement: Placement) -> dict[str, Mask]:
    return {name: _mask(polygon, placement) for name, polygon in polygons}


def _mask(polygon: Polygon, placement: Placement) -> Mask:
    return filled(placement.points_to_model(densify(np.array(polygon, np.float64))), placement)


def filled(corners: Points, placement: Placement) -> Mask:
    """A mask [H, W] at the model's size: the pixels that a polygon of its points contains."""
    fixed = np.round((corners - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
    mask = np.zeros((placement.height, placement.width), np.uint8)
    cv2.fillPoly(mask, [fixed], 1, shift=SUBPIXEL_BITS)
    return mask.astype(np.bool_)


def roi_scores(
    heatmap: NDArray[np.float32], masks: Mapping[str, Mask], window: int
) -> dict[str, float]:
    """The score of each region of interest from a heatmap [H, W]."""
    return {name: _score(heatmap, mask, window) for name, mask in masks.items()}


def _score(heatmap: NDArray[np.float32], mask: Mask, window: int) -> float:
    """Only the mask's surroundings are pooled: farther away no window reaches it."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    half = window // 2
    rows = slice(max(0, y - half), y + height + half)
    columns = slice(max(0, x - half), x + width + half)
    inside = np.where(mask[rows, columns], heatmap[rows, columns], np.float32(0))
    return pooled_maximum(inside, window)


def mask_out(heatmap: NDArray[np.float32], *masks: Mask) -> NDArray[np.float32]:
    """A heatmap with minus infinity, below every threshold, outside all masks."""
    inside = np.logical_or.reduce(masks)
    return np.asarray(np.where(inside, heatmap, np.float32(-np.inf)), np.float32)


def share_of(score: float, threshold: float) -> float:
    """A region's score as a share of its threshold: 1 or more is a defect."""
    return score / threshold if threshold > 0 else ALWAYS


def worst(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> str:
    """The region whose score is largest in relation to its threshold.

    If any region reaches its threshold, so does this one.
    """
    return max(scores, key=lambda name: share_of(scores[name], thresholds[name]))
