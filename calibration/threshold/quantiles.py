"""From good scores to a threshold, with what so many parts can promise for it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edge.base.errors import ImageError

Scores = NDArray[np.float64]


class Threshold(NamedTuple):
    """A threshold, and what is known of its false-reject rate.

    `expected` is the probability that the next good part is rejected. With the confidence asked
    for, the true rate is at most `bound`.
    """

    value: float
    expected: float
    bound: float


class Costs(NamedTuple):
    """What a mistake costs, in any currency, and the share of parts that are bad."""

    reject: float
    escape: float
    bad_share: float


class Escapes(NamedTuple):
    """Bad parts below the threshold; `bound` is that of the true rate, with the same confidence."""

    missed: int
    bad: int
    bound: float


def score_threshold(
    scores: Scores, rate: float, confidence: float = 0.95, *, promise: bool = False
) -> Threshold:
    """The lowest threshold whose expected rate, or with `promise` whose bound, is at most `rate`.

    Split conformal prediction (Vovk 2005): with n exchangeable good scores, the next one exceeds
    the k-th smallest with probability at most 1 - k / (n + 1). Where n is too small for `rate`,
    the highest score is taken. Raises ImageError for a threshold that no score could reach.
    """
    count = len(scores)
    if promise:
        ranks = np.arange(1, count + 1)
        enough = stats.beta.ppf(confidence, count - ranks + 1, ranks) <= rate
        rank = int(ranks[enough][0]) if enough.any() else count
    else:
        rank = min(count, math.ceil((count + 1) * (1 - rate)))
    return at_rank(scores, rank, confidence)


def at_rank(scores: Scores, rank: int, confidence: float) -> Threshold:
    """The threshold just above the `rank`-th smallest good score.

    The share of all good parts above that score is distributed as Beta(n - rank + 1, rank) at
    most, whatever the distribution of scores (Wilks 1941); its quantile is the exact bound.
    """
    count = len(scores)
    # A score that only equals the threshold is a reject, so the threshold lies just above.
    value = float(np.nextafter(np.float32(np.sort(scores)[rank - 1]), np.float32(np.inf)))
    if value >= 1:
        raise ImageError(
            "a good frame has the highest score there is, so that nothing could be rejected: "
            "remove the defective one named above from the good frames, or train longer"
        )
    bound = float(stats.beta.ppf(confidence, count - rank + 1, rank))
    return Threshold(value, 1 - rank / (count + 1), bound)


def parts_needed(rate: float, confidence: float) -> tuple[int, int]:
    """How many good parts make `rate` the expected one, and how many make it the bound."""
    expected = math.ceil(1 / rate - 1e-9) - 1
    return expected, math.ceil(math.log(1 - confidence) / math.log1p(-rate))


def escapes(bad: Scores, threshold: float, confidence: float = 0.95) -> Escapes:
    """How many bad scores lie below the threshold; the bound is Clopper and Pearson's (1934)."""
    missed = int((bad < threshold).sum())
    test = stats.binomtest(missed, len(bad), alternative="less")
    bound = float(test.proportion_ci(confidence, method="exact").high)
    return Escapes(missed, len(bad), bound)


def balanced_threshold(
    good: Scores, bad: Scores, costs: Costs, confidence: float = 0.95
) -> Threshold:
    """The threshold above one of the good scores at which mistakes cost least.

    The choice among n candidates looks at the same parts as the bound does, so that this is one
    with a confidence of 1 - (1 - confidence) / n (Bonferroni).
    """
    strict = 1 - (1 - confidence) / len(good)
    options = []
    for rank in range(1, len(good) + 1):
        try:
            option = at_rank(good, rank, strict)
        except ImageError:
            break
        cost = costs.reject * (1 - costs.bad_share) * option.expected
        cost += costs.escape * costs.bad_share * float((bad < option.value).mean())
        options.append((cost, option.expected, option))
    if not options:
        raise ImageError("every good frame has the highest score there is: train longer")
    return min(options, key=lambda found: found[:2])[2]
