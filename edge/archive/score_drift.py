"""How scores move over time: the median of score / threshold of each period."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from edge.archive.query import Query
from edge.archive.rows import BINS_PER_OCTAVE
from edge.archive.statistics import Shifts, narrowed, period_name
from edge.archive.tables import score_tally

Every = Literal["hour", "day", "shift"]
Q1, MEDIAN, Q3 = 0.25, 0.5, 0.75


@dataclass(frozen=True)
class ScoreLevel:
    """The quartiles of score / threshold in one period, to the resolution of the tallies."""

    group: str
    parts: int
    lower: float
    median: float
    upper: float


def score_levels(
    connection: Connection, query: Query, every: Every, shifts: Shifts
) -> list[ScoreLevel]:
    """A level for each period with scores, oldest first; whole hours. Raises ArchiveError."""
    keys = score_tally.c.bucket, score_tally.c.score_bin
    statement = select(*keys, func.sum(score_tally.c.count).label("parts")).group_by(*keys)
    found: dict[str, Counter[int]] = {}
    for row in connection.execute(narrowed(statement, query, score_tally)):
        group = period_name(every, row.bucket, shifts)
        found.setdefault(group, Counter())[row.score_bin] += int(row.parts)
    return [
        ScoreLevel(group, bins.total(), *(_quantile(bins, part) for part in (Q1, MEDIAN, Q3)))
        for group, bins in sorted(found.items())
    ]


def _quantile(bins: Counter[int], part: float) -> float:
    """The middle of the bin in which this part of all counts is reached."""
    reached, wanted = 0, part * bins.total()
    numbers: Sequence[int] = sorted(bins)
    for number in numbers:
        reached += bins[number]
        if reached >= wanted:
            break
    return float(2 ** ((number + 0.5) / BINS_PER_OCTAVE))
