"""What good frames say besides the threshold: their conditions, and what a region is."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.calibration import Range

PIXEL_QUANTILE = 0.9999
MOST_HEAT = 1 << 25
"""Pixels that heat is summed up over."""


def widened(values: list[float]) -> Range:
    """The range of good values, with half of itself, but at least a tenth of the middle, around.

    Wide enough for drift that the frames did not show, narrow enough to notice a dead lamp.
    """
    low, high, middle = min(values), max(values), float(np.median(values))
    margin = max(0.5 * (high - low), 0.1 * middle)
    return Range(low=max(low - margin, _above_zero(low) / 2), high=high + margin)


def doubled(values: list[float]) -> Range:
    """From half the lowest to twice the highest: for a variance, which spreads in proportion.

    A blur that matters takes away far more than half; a scratch on a part adds a third.
    """
    return Range(low=_above_zero(min(values)) / 2, high=max(values) * 2)


def _above_zero(value: float) -> float:
    """A range from 0 on would let a dark or an even picture pass."""
    if value <= 0:
        raise ImageError("a good frame is black or perfectly even: remove it, or fix lamp and lens")
    return value


def pixel_threshold(heatmaps: NDArray[np.float32], threshold: float) -> float:
    """Heat that a pixel of a good part seldom has, and never less than the score's threshold."""
    return max(float(np.quantile(finite_heat(heatmaps), PIXEL_QUANTILE)), threshold)


def finite_heat(heatmaps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The heat of pixels of heatmaps [N, H, W]; not of those outside all regions of interest.

    Of very many pixels every second, third ... counts.
    """
    step = -(-heatmaps.size // MOST_HEAT)
    while math.gcd(step, heatmaps.shape[2]) > 1:  # or it would see the same columns of each row
        step += 1
    some = np.concatenate([heatmap.ravel()[::step] for heatmap in heatmaps])
    finite: NDArray[np.float32] = some[np.isfinite(some)]
    return finite


def smallest_area(heatmaps: NDArray[np.float32], level: float, rate: float) -> int:
    """Map pixels that a region must have to be told: more than good parts show at `level`.

    By the same rank as the score's threshold: the next good part shows a region of this size with a
    probability of at most `rate`.
    """
    areas = np.sort([_largest(heatmap >= level) for heatmap in heatmaps])
    rank = min(len(areas), math.ceil((len(areas) + 1) * (1 - rate)))
    return int(areas[rank - 1]) + 1


def _largest(hot: NDArray[np.bool_]) -> int:
    stats = cv2.connectedComponentsWithStats(hot.astype(np.uint8), connectivity=8)[2]
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
