"""Counts, rates and distributions, computed from the tallies of quarters of an hour."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, func, select, true

from edge.archive.errors import ArchiveError
from edge.archive.query import Query
from edge.archive.rows import BINS_PER_OCTAVE, EPOCH, microseconds
from edge.archive.tables import (
    VERDICTS,
    label,
    product,
    region,
    score_tally,
    stream,
    tally,
    version,
)
from edge.events.codes import code_name

T = tally.c
By = Literal["hour", "day", "shift", "station", "product", "version"]
Of = Literal["code", "label", "kind", "place"]
NAMES = {
    "station": stream.c.station,
    "product": product.c.name,
    "version": product.c.name + " " + version.c.name,
}
PLACE_PIXELS = 64


@dataclass(frozen=True)
class Shifts:
    """The plant's shifts, by the time at which each begins, in its time zone."""

    begins: dict[str, time] = field(
        default_factory=lambda: {"early": time(6), "late": time(14), "night": time(22)}
    )
    zone: ZoneInfo | None = None  # this machine's own

    def begin(self, at: datetime) -> tuple[datetime, str]:
        """The shift of a time: when it began, and its name."""
        local = at.astimezone(self.zone)
        begun = [(t, name) for name, t in self.begins.items() if t <= local.time()]
        latest, name = max(begun or [(t, n) for n, t in self.begins.items()])
        day = local.date() - timedelta(days=not begun)
        return datetime.combine(day, latest, local.tzinfo), name


def _sum(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((and_(true(), *conditions), T.count), else_=0))


FIRST = T.again == 0
SUMS = (  # in the order of the fields of Counts
    *(_sum(T.verdict == number) for number in range(len(VERDICTS))),
    func.sum(T.passed_over),
    _sum(FIRST, T.verdict == 0),
    _sum(FIRST),
)


@dataclass(frozen=True)
class Counts:
    """What was inspected in one group. Rates are None where nothing was."""

    group: str
    ok: int
    ng: int
    no_verdict: int
    passed_over: int
    first_ok: int  # of the parts that came for the first time
    first: int

    @property
    def ng_rate(self) -> float | None:
        """NG among the parts with a verdict."""
        judged = self.ok + self.ng
        return self.ng / judged if judged else None

    @property
    def first_pass_yield(self) -> float | None:
        """OK at the first inspection, among all parts."""
        return self.first_ok / self.first if self.first else None


def counts(
    connection: Connection, query: Query, by: Sequence[By], shifts: Shifts | None = None
) -> list[Counts]:
    """Counts for each group, in the order of their names; periods in the plant's time zone."""
    shifts = shifts or Shifts()
    names = [NAMES[name].label(name) for name in by if name in NAMES]
    keys = (T.bucket, *names)
    statement = narrowed(select(*keys, *SUMS), query).group_by(*keys)
    periods: dict[int, list[str]] = {}  # of the buckets, each of which may come often
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in connection.execute(statement):
        if row.bucket not in periods:
            periods[row.bucket] = [period_name(name, row.bucket, shifts) for name in by]
        group = tuple(
            period or str(getattr(row, name))
            for name, period in zip(by, periods[row.bucket], strict=True)
        )
        numbers = groups.setdefault(group, [0] * len(SUMS))
        for i, number in enumerate(row[-len(SUMS) :]):
            numbers[i] += int(number)
    return [Counts(" ".join(group) or "all", *numbers) for group, numbers in sorted(groups.items())]


def period_name(name: By, bucket: int, shifts: Shifts) -> str:
    """The hour, day or shift of a bucket; nothing for what is not a period."""
    at = EPOCH + timedelta(microseconds=bucket)
    if name == "shift":
        begun, shift = shifts.begin(at)
        return f"{begun:%Y-%m-%d %H:%M} {shift}"
    if name in NAMES:
        return ""
    local = at.astimezone(shifts.zone)
    return f"{local:%Y-%m-%d %H:00%z}" if name == "hour" else f"{local:%Y-%m-%d}"


def pareto(connection: Connection, query: Query, of: Of) -> list[tuple[str, int]]:
    """How often each code, label, kind or place of defects occurs, most frequent first."""
    makers: dict[Of, Callable[[Connection, Query], list[tuple[str, int]]]] = {
        "code": _codes,
        "label": lambda c, q: _labels(c, q, label.c.label),
        "kind": lambda c, q: _labels(c, q, label.c.kind),
        "place": _places,
    }
    return sorted(makers[of](connection, query), key=lambda pair: (-pair[1], pair[0]))


def _codes(connection: Connection, query: Query) -> list[tuple[str, int]]:
    statement = narrowed(select(T.code, func.sum(T.count)), query).where(T.code > 0)
    rows = connection.execute(statement.group_by(T.code))
    return [(code_name(code), int(count)) for code, count in rows]


def _labels(connection: Connection, query: Query, column: Any) -> list[tuple[str, int]]:
    """Of the time at which the labels were given."""
    _refuse_others(query, ("since", "until"))
    at = [label.c.newest == 1, column.is_not(None), *_times(query, label.c.at)]
    rows = connection.execute(select(column, func.count()).where(*at).group_by(column))
    return [(name, count) for name, count in rows]


def _places(connection: Connection, query: Query) -> list[tuple[str, int]]:
    """Squares of the picture by the middle of the defects in it."""
    _refuse_others(query, ("since", "until", "product"))
    r = region.c
    across = (r.x + r.width / 2) / PLACE_PIXELS
    down = (r.y + r.height / 2) / PLACE_PIXELS
    statement = select(func.floor(across), func.floor(down), func.count()).where(
        *_times(query, r.at)
    )
    if query.product is not None:
        number = select(product.c.id).where(product.c.name == query.product).scalar_subquery()
        statement = statement.where(r.product == number)
    rows = connection.execute(statement.group_by(func.floor(across), func.floor(down)))
    return [(f"{int(x) * PLACE_PIXELS},{int(y) * PLACE_PIXELS}", count) for x, y, count in rows]


def score_distribution(connection: Connection, query: Query) -> list[tuple[float, int]]:
    """How many parts have each part of their threshold, as (from this part on, parts)."""
    number = score_tally.c.score_bin
    statement = select(number, func.sum(score_tally.c.count)).group_by(number).order_by(number)
    rows = connection.execute(narrowed(statement, query, score_tally))
    return [(2 ** (number / BINS_PER_OCTAVE), int(count)) for number, count in rows]


def _refuse_others(query: Query, known: Collection[str]) -> None:
    """Raise ArchiveError for a word that would have no effect on the answer."""
    if others := sorted(name for name, value in query if value is not None and name not in known):
        raise ArchiveError(
            f"these statistics cannot be narrowed by {', '.join(others)}: use {', '.join(known)}"
        )


def narrowed(statement: Select[Any], query: Query, table: Table = tally) -> Select[Any]:
    """Only the tallies that a query means. Raises ArchiveError for what tallies do not know."""
    known = ["since", "until", "station", "product", "version"]
    known += [name for name in ("verdict", "code") if name in table.c]
    _refuse_others(query, known)
    statement = (
        statement.select_from(table)
        .join(stream, stream.c.id == table.c.stream)
        .join(version, version.c.id == table.c.version)
        .join(product, product.c.id == version.c.product)
        .where(*_times(query, table.c.bucket))
    )
    columns = {"station": stream.c.station, "product": product.c.name, "version": version.c.name}
    for name, column in columns.items():
        if (value := getattr(query, name)) is not None:
            statement = statement.where(column == value)
    if query.verdict is not None:
        statement = statement.where(T.verdict == VERDICTS.index(query.verdict))
    if query.code is not None:
        statement = statement.where(T.code == query.code)
    return statement


def _times(query: Query, column: Any) -> list[Any]:
    since = [column >= microseconds(query.since)] if query.since else []
    return since + ([column < microseconds(query.until)] if query.until else [])
