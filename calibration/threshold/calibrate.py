"""From good frames, and bad ones where they are known, to a calibration."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.threshold.drift_limits import drift_ranges
from calibration.threshold.limits import doubled, pixel_threshold, smallest_area, widened
from calibration.threshold.quantiles import (
    Costs,
    Scores,
    Threshold,
    balanced_threshold,
    escapes,
    score_threshold,
)
from calibration.threshold.scored_frames import ScoredFrames
from edge.product.product import now
from edge.vision.calibration import Calibration, EscapeRate
from edge.vision.drift_features import mean_frame
from edge.vision.geometry import Geometry
from edge.vision.roi import share_of


class Aim(NamedTuple):
    """What the threshold is for: a false-reject rate, or the least costs where these are given.

    With `promise` the bound keeps to the rate, not the expectation.
    """

    rate: float
    confidence: float
    costs: Costs | None = None
    promise: bool = False


class Decision(NamedTuple):
    """Where the line between good and bad parts lies, and the parts [P] on either side.

    With regions of interest a part's score is its worst one as a share of that one's threshold, so
    that `threshold` is 1; `roi` has the thresholds themselves.
    """

    threshold: Threshold
    good: Scores
    bad: Scores | None
    roi: dict[str, float]


class Made(NamedTuple):
    """A calibration, what it was decided from, and the drift watch's reference."""

    calibration: Calibration
    decision: Decision
    reference: NDArray[np.uint8]
    promise: bool


def calibrate(
    good: ScoredFrames,
    bad: ScoredFrames | None,
    aim: Aim,
    kept: list[str],
    geometry: Geometry | None = None,
) -> Made:
    """`kept` are the file names of the first good frames, those that stay with the product."""
    decision = decide_by_roi(good, bad, aim) if good.roi else decide(good, bad, aim)
    first = good.first_of_part
    reference = mean_frame(good.fitted[i] for i in first)
    # With regions of interest the score of the whole decides nothing: its highest is a scale.
    highest = min(1.0, float(good.scores.max()))  # the average of many ones may be 1.0000001
    threshold = highest if good.roi else decision.threshold.value
    level = pixel_threshold(good.heatmaps, min(decision.roi.values(), default=threshold))
    calibration = Calibration(
        threshold=threshold,
        pixel_threshold=level,
        min_area=smallest_area(good.heatmaps, level, aim.rate),
        brightness=widened([c.brightness for c in good.conditions]),
        contrast=widened([c.contrast for c in good.conditions]),
        sharpness=doubled([c.sharpness for c in good.conditions]),
        false_reject_rate=aim.rate,
        expected_rate=decision.threshold.expected,
        rate_bound=decision.threshold.bound,
        confidence=aim.confidence,
        escapes=_escape_rate(decision, aim),
        drift=drift_ranges((good.fitted[i] for i in first), good.engine_scores[first], reference),
        scores=sorted(decision.good.tolist()),
        frames=dict(zip(kept, good.engine_scores.tolist(), strict=False)),
        geometry=geometry,
        roi_thresholds=decision.roi,
        roi_shares=_roi_shares(good, decision.roi, kept),
        created=now(),
    )
    return Made(calibration, decision, reference, aim.promise)


def decide(good: ScoredFrames, bad: ScoredFrames | None, aim: Aim) -> Decision:
    """By the score of the whole picture."""
    scores = good.of_parts(good.scores)
    wrong = None if bad is None else bad.of_parts(bad.scores)
    if wrong is not None and aim.costs is not None:
        threshold = balanced_threshold(scores, wrong, aim.costs, aim.confidence)
    else:
        threshold = score_threshold(scores, aim.rate, aim.confidence, promise=aim.promise)
    return Decision(threshold, scores, wrong, {})


def decide_by_roi(good: ScoredFrames, bad: ScoredFrames | None, aim: Aim) -> Decision:
    """A threshold for each region of interest; together they keep to the part's rate.

    A part is rejected by any region, so that rates add up at most: each gets its share of the rate
    and of the doubt (Bonferroni).
    """
    count = len(good.roi)
    strict = 1 - (1 - aim.confidence) / count
    found = {
        name: score_threshold(good.of_parts(scores), aim.rate / count, strict, promise=aim.promise)
        for name, scores in good.roi.items()
    }
    roi = {name: one.value for name, one in found.items()}
    expected = min(1.0, sum(one.expected for one in found.values()))
    bound = min(1.0, sum(one.bound for one in found.values()))
    wrong = None if bad is None else _shares(bad, roi)
    return Decision(Threshold(1.0, expected, bound), _shares(good, roi), wrong, roi)


def _shares(judged: ScoredFrames, roi: dict[str, float]) -> Scores:
    """Of each part its worst region's score as a share of that region's threshold [P]."""
    return judged.of_parts(deciding_scores(judged, roi))


def deciding_scores(judged: ScoredFrames, roi: dict[str, float]) -> Scores:
    """Of each frame the score that decides [N]: with regions of interest the share of the worst."""
    if not roi:
        return judged.scores
    shares = [[share_of(score, roi[name]) for score in judged.roi[name]] for name in roi]
    return np.asarray(np.max(shares, axis=0), np.float64)


def _roi_shares(good: ScoredFrames, roi: dict[str, float], kept: list[str]) -> dict[str, float]:
    """Of the frames that stay, by which an engine of reduced precision is proven."""
    if not roi:
        return {}
    return dict(zip(kept, deciding_scores(good, roi).tolist(), strict=False))


def _escape_rate(decision: Decision, aim: Aim) -> EscapeRate | None:
    """With the threshold chosen by costs, for all candidates at once: see balanced_threshold."""
    if decision.bad is None:
        return None
    doubt = (1 - aim.confidence) / (len(decision.good) if aim.costs else 1)
    missed = escapes(decision.bad, decision.threshold.value, 1 - doubt)
    return EscapeRate(**missed._asdict())
