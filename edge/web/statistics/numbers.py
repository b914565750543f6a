"""All numbers of the statistics page, gathered from the archive in one go."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edge.archive.archive import Archive
from edge.archive.around import Names
from edge.archive.control_chart import Point, p_chart
from edge.archive.errors import ArchiveError
from edge.archive.query import Query
from edge.archive.score_drift import ScoreLevel
from edge.archive.statistics import Counts, Shifts
from edge.web.statistics.choice import Choice

LOOKED_AT = 100
PNG_SIZE = slice(16, 24)  # big-endian width and height, in each PNG's first chunk


@dataclass(frozen=True)
class Places:
    """Squares of the picture with so many defects each: (x, y, number); and a picture for below."""

    product: str | None
    squares: Sequence[tuple[int, int, int]]
    picture: str | None = None
    width_height: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Numbers:
    """What the page shows."""

    known: Names
    total: Counts
    periods: Sequence[Counts]
    mean: float
    points: Sequence[Point]
    groups: Sequence[Counts]
    codes: Sequence[tuple[str, int]]
    labels: Sequence[tuple[str, int]]
    kinds: Sequence[tuple[str, int]]
    places: Places
    scores: Sequence[tuple[float, int]]
    levels: Sequence[ScoreLevel]


def gather(archive: Archive, choice: Choice, shifts: Shifts) -> Numbers:
    """Ask the archive for everything. Raises ArchiveError and ChoiceError."""
    query = choice.query(shifts)
    known = archive.names()
    totals = archive.counts(query, [], shifts)
    periods = archive.counts(query, [choice.every], shifts)
    mean, points = p_chart([(one.ok + one.ng, one.ng) for one in periods])
    is_time = choice.grouping == choice.every
    times = Query(since=query.since, until=query.until)
    return Numbers(
        known=known,
        total=totals[0] if totals else Counts("all", 0, 0, 0, 0, 0, 0),
        periods=periods,
        mean=mean,
        points=points,
        groups=[] if is_time else archive.counts(query, [choice.grouping], shifts),
        codes=archive.pareto(query, "code"),
        labels=archive.pareto(times, "label"),
        kinds=archive.pareto(times, "kind"),
        places=_places(archive, times, query.product, known),
        scores=archive.score_distribution(query),
        levels=archive.score_levels(query, choice.every, shifts),
    )


def _places(archive: Archive, times: Query, product: str | None, known: Names) -> Places:
    """Places are those of one picture, so of one product."""
    if product is None and len(known.versions) == 1:
        [product] = known.versions
    query = times.model_copy(update={"product": product})
    found = [(*map(int, name.split(",")), count) for name, count in archive.pareto(query, "place")]
    squares = [(x, y, count) for x, y, count in found]
    if product is None or not squares:
        return Places(product, squares)
    picture = next((p.picture for p in archive.find(query, LOOKED_AT).parts if p.picture), None)
    if picture is None:
        return Places(product, squares)
    try:
        size = struct.unpack(">II", archive.object(picture)[PNG_SIZE])
    except (ArchiveError, struct.error):
        return Places(product, squares)
    return Places(product, squares, picture, (size[0], size[1]))
