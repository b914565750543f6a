"""From good frames to thresholds and ranges."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import ImageError
from edge.judge import Conditions
from edge.product import Calibration, Range, now

PIXEL_QUANTILE = 0.9999
SMALLEST_AREA_SHARE = 0.0003


class Threshold(NamedTuple):
    """The threshold, and the false-reject rate that so many good frames can promise for it."""

    value: float
    promised_rate: float


def score_threshold(scores: NDArray[np.float64], rate: float) -> Threshold:
    """The lowest threshold that rejects a new good part with a probability of at most `rate`.

    Split conformal prediction (Vovk 2005): with n exchangeable good scores, the next one exceeds
    the k-th smallest with probability at most 1 - k / (n + 1). Where n is too small for `rate`,
    the highest score is taken and the promise is 1 / (n + 1). Raises ImageError for a threshold
    that no score could reach.
    """
    count = len(scores)
    rank = min(count, math.ceil((count + 1) * (1 - rate)))
    # A score that only equals the threshold is a reject, so the threshold lies just above.
    value = float(np.nextafter(np.float32(np.sort(scores)[rank - 1]), np.float32(np.inf)))
    if value >= 1:
        raise ImageError(
            "a good frame has the highest score there is, so that nothing could be rejected: "
            "remove the defective one named above from the good frames, or train longer"
        )
    return Threshold(value, 1 - rank / (count + 1))


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
        raise ImageError(
            "a good frame is black or perfectly even: remove it, or mend lamp and lens"
        )
    return value


def calibrate(
    scores: NDArray[np.float64],
    heatmaps: NDArray[np.float32],
    conditions: list[Conditions],
    rate: float,
    kept: list[str],
) -> tuple[Calibration, Threshold]:
    """A calibration from the scores [N], heatmaps [N, H, W] and conditions of good frames.

    `kept` are the file names of the first of them, those that stay with the product.
    """
    threshold = score_threshold(scores, rate)
    calibration = Calibration(
        threshold=threshold.value,
        pixel_threshold=max(float(np.quantile(heatmaps, PIXEL_QUANTILE)), threshold.value),
        min_area=max(1, round(SMALLEST_AREA_SHARE * heatmaps[0].size)),
        brightness=widened([c.brightness for c in conditions]),
        contrast=widened([c.contrast for c in conditions]),
        sharpness=doubled([c.sharpness for c in conditions]),
        false_reject_rate=rate,
        scores=sorted(float(s) for s in scores),
        frames=dict(zip(kept, scores.tolist(), strict=False)),
        created=now(),
    )
    return calibration, threshold
