"""A p-chart: the NG rate of each period with control limits and the Western Electric rules.

Limits are those of a binomial rate around the mean of all periods, three standard deviations wide
for each period's own number of parts (Montgomery, Introduction to Statistical Quality Control,
section 7.2; rules: Western Electric, Statistical Quality Control Handbook, 1956).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

RULES = (  # (at least so many, of so many periods in a row, beyond so many standard deviations)
    (1, 1, 3.0),
    (2, 3, 2.0),
    (4, 5, 1.0),
    (8, 8, 0.0),
)


@dataclass(frozen=True)
class Point:
    """One period: parts, NG parts, limits of the rate, and the rules that it breaks (1 to 4)."""

    parts: int
    rejects: int
    lower: float
    upper: float
    broken: tuple[int, ...]


def p_chart(periods: Sequence[tuple[int, int]]) -> tuple[float, list[Point]]:
    """The mean rate and a point for each (parts, rejects); periods without parts break no rule."""
    parts = sum(n for n, _ in periods)
    mean = sum(k for _, k in periods) / parts if parts else 0.0
    deviations = [_deviation(n, k, mean) for n, k in periods]
    points = []
    for i, (n, k) in enumerate(periods):
        sigma = sqrt(mean * (1 - mean) / n) if n else 0.0
        limits = max(0.0, mean - 3 * sigma), min(1.0, mean + 3 * sigma)
        points.append(Point(n, k, *limits, _broken(deviations[: i + 1])))
    return mean, points


def _deviation(parts: int, rejects: int, mean: float) -> float:
    """How many standard deviations a period's rate is from the mean."""
    sigma = sqrt(mean * (1 - mean) / parts) if parts else 0.0
    return (rejects / parts - mean) / sigma if sigma else 0.0


def _broken(deviations: Sequence[float]) -> tuple[int, ...]:
    """The rules that the last period breaks, on either side of the mean."""
    return tuple(
        number
        for number, (least, window, beyond) in enumerate(RULES, 1)
        if any(
            sign * deviations[-1] > beyond
            and sum(sign * d > beyond for d in deviations[-window:]) >= least
            for sign in (1, -1)
        )
    )
