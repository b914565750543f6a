"""From good frames, and bad ones where they are known, to a calibration."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.drift import drift_ranges
from calibration.judged import Judged
from calibration.limits import doubled, pixel_threshold, smallest_area, widened
from calibration.threshold import (
    Costs,
    Escapes,
    Threshold,
    balanced_threshold,
    escapes,
    score_threshold,
)
from edge.drift import reference_of
from edge.product import Calibration, EscapeRate, now


class Aim(NamedTuple):
    """What the threshold is for: a false-reject rate, or the least costs where these are given."""

    rate: float
    confidence: float
    costs: Costs | None = None


class Made(NamedTuple):
    """A calibration, the threshold with what is known of it, and the drift watch's reference."""

    calibration: Calibration
    threshold: Threshold
    reference: NDArray[np.uint8]


def calibrate(good: Judged, bad: Judged | None, aim: Aim, kept: list[str]) -> Made:
    """`kept` are the file names of the first good frames, those that stay with the product."""
    threshold, missed = _threshold(good.part_scores, bad and bad.part_scores, aim)
    level = pixel_threshold(good.heatmaps, threshold.value)
    first = good.first_of_part
    reference = reference_of(good.fitted[first])
    calibration = Calibration(
        threshold=threshold.value,
        pixel_threshold=level,
        min_area=smallest_area(good.heatmaps, level, aim.rate),
        brightness=widened([c.brightness for c in good.conditions]),
        contrast=widened([c.contrast for c in good.conditions]),
        sharpness=doubled([c.sharpness for c in good.conditions]),
        false_reject_rate=aim.rate,
        expected_rate=threshold.expected,
        rate_bound=threshold.bound,
        confidence=aim.confidence,
        escapes=missed and EscapeRate(**missed._asdict()),
        drift=drift_ranges(good.fitted[first], good.scores[first], reference),
        scores=sorted(good.part_scores.tolist()),
        frames=dict(zip(kept, good.scores.tolist(), strict=False)),
        created=now(),
    )
    return Made(calibration, threshold, reference)


def _threshold(
    good: NDArray[np.float64], bad: NDArray[np.float64] | None, aim: Aim
) -> tuple[Threshold, Escapes | None]:
    if bad is not None and aim.costs is not None:
        return balanced_threshold(good, bad, aim.costs, aim.confidence)
    threshold = score_threshold(good, aim.rate, aim.confidence)
    return threshold, None if bad is None else escapes(bad, threshold.value, aim.confidence)
