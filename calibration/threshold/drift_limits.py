"""The ranges of the drift watch, and the limit that parts like the good ones do not reach."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edge.vision.calibration import DriftLimits
from edge.vision.drift_features import FEATURES, FeatureExtractor

WINDOW = 100
FALSE_ALARM = 1e-7
"""A part; the true figure is far lower, since the bound adds up features that go together."""
CONFIDENCE = 0.95


def drift_ranges(
    fitted: Iterable[NDArray[np.uint8]], scores: NDArray[np.float64], reference: NDArray[np.uint8]
) -> DriftLimits | None:
    """From good fitted frames [H, W, 3], one a part, and their scores [N].

    At most a share q of good parts lies beyond the most extreme of n on one side, with confidence
    for all features at once (Wilks 1941, Bonferroni); the count of a window is then binomial, where
    parts are independent. None where parts are too few to tell a drift from chance.
    """
    measure = FeatureExtractor(reference)
    found = np.stack([measure(f, s) for f, s in zip(fitted, scores, strict=True)])
    sides = 2 * FEATURES
    beyond = 1 - ((1 - CONFIDENCE) / sides) ** (1 / len(found))
    limit = int(stats.binom.isf(FALSE_ALARM / sides, WINDOW, beyond)) + 1
    limit = max(limit, WINDOW // 2)
    if limit > WINDOW:
        return None
    return DriftLimits(
        window=WINDOW,
        limit=limit,
        false_alarm=float(sides * stats.binom.sf(limit - 1, WINDOW, beyond)),
        low=found.min(axis=0).tolist(),
        high=found.max(axis=0).tolist(),
    )
