"""What the report of a shift says, gathered from the archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.archive.archive import Archive
from edge.archive.audit import Entry
from edge.archive.period import FaultRow, StatusRow
from edge.archive.query import Query
from edge.archive.search import Found
from edge.archive.shift_times import Shift
from edge.archive.statistics import Counts, Shifts

MOST_ROWS = 100
WORST = 6
RETIRED = timedelta(days=30)  # a station without events for so long
NOT_OF_THE_LINE = ("account", "log-in", "token", "webhook")


@dataclass(frozen=True)
class Line:
    """What a station inspected of a product's version."""

    station: str
    product: str
    counts: Counts


@dataclass(frozen=True)
class ShiftReport:
    """All of a report. Of faults, states and changes at most MOST_ROWS are in it."""

    shift: Shift
    made: datetime
    lines: Sequence[Line]
    total: Counts
    hours: Sequence[Counts]
    codes: Sequence[tuple[str, int]]
    kinds: Sequence[tuple[str, int]]
    worst: Sequence[Found]
    faults: Sequence[FaultRow]
    states: Sequence[StatusRow]
    changes: Sequence[Entry]
    ends: Sequence[tuple[str, datetime]]
    """Stations whose last archived event is before the shift's end, with its time."""

    @property
    def is_finished(self) -> bool:
        """Whether the shift had ended when this was made."""
        return self.made >= self.shift.end


def shift_report(archive: Archive, shifts: Shifts, shift: Shift) -> ShiftReport:
    """The report of one shift. Raises ArchiveError."""
    since, until = shift.begin, shift.end
    query = Query(since=since, until=until)
    totals = archive.counts(query, [], shifts)
    return ShiftReport(
        shift=shift,
        made=datetime.now(UTC),
        lines=list(_lines(archive, query)),
        total=totals[0] if totals else Counts("all", 0, 0, 0, 0, 0, 0),
        hours=archive.counts(query, ["hour"], shifts),
        codes=archive.pareto(query, "code"),
        kinds=archive.pareto(query, "kind"),
        worst=archive.worst(query, WORST),
        faults=archive.faults(since, until, MOST_ROWS),
        states=archive.states(since, until, MOST_ROWS),
        changes=list(_changes(archive, since, until)),
        ends=[
            (station, at)
            for station, at in sorted(archive.last_events().items())
            if since - RETIRED < at < until
        ],
    )


def _changes(archive: Archive, since: datetime, until: datetime) -> Iterator[Entry]:
    """Without those of accounts, which not everybody may see who sees a report."""
    hidden = tuple(f"{word} " for word in NOT_OF_THE_LINE)
    for change in archive.audit.between(since, until, MOST_ROWS):
        if not change.action.startswith(hidden):
            yield change


def parts_of(counts: Counts) -> int:
    """All inspections, with a verdict or without."""
    return counts.ok + counts.ng + counts.no_verdict


def _lines(archive: Archive, query: Query) -> Iterator[Line]:
    for station in archive.names().stations:
        narrowed = query.model_copy(update={"station": station})
        for counts in archive.counts(narrowed, ["version"]):
            yield Line(station, counts.group, counts)
