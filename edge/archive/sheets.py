"""Pages of inspections for people who wait: older or newer from any part, bounded in time.

A condition that few of many million parts meet would read all of them before a page is full. So a
search goes on in windows of time, skips what the tallies say is empty, and ends when its time is
over: then the page says how far it came, and the next one goes on from there.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from edge.archive.conditions import conditions, touched
from edge.archive.query import Query
from edge.archive.rows import EPOCH, microseconds
from edge.archive.search import ORDER, Found, found_of, position_of, selected
from edge.archive.statistics import narrowed
from edge.archive.tables import BUCKET_US, PART, inspection, tally

BUDGET_S = 0.25
WINDOW_S = 0.05  # how long one window's question should take
FIRST_US = 3600 * 1_000_000
OF_TALLIES = ("station", "product", "version", "verdict", "code")
INDEXED = ("part", "trigger", "label", "kind")  # few rows, found without a look at the others


@dataclass(frozen=True)
class Sheet:
    """Some inspections, newest first; `older` and `newer` are where the next pages begin, if any.

    `reached` is how far back the search came when its time was over; None if it looked everywhere.
    """

    parts: Sequence[Found]
    older: str | None
    newer: str | None
    reached: datetime | None = None


@dataclass
class _Search:
    """A search in one direction; `first` and `last` are the first and last microsecond of it."""

    connection: Connection
    query: Query
    limit: int
    newer: bool
    first: int
    last: int
    rows: list[Any] = field(default_factory=list)

    def window(self, low: int, high: int, position: list[int] | None) -> None:
        """Add the rows from `low` up to, not including, `high`, beyond a position."""
        query, box = self.query.model_copy(update={"box": None}), self.query.box
        statement = selected().where(*conditions(self.connection, query))
        statement = statement.where(low <= PART.at, high > PART.at)
        if box is not None:
            statement = statement.where(touched(box, low, high))
        if position is not None:
            here, there = tuple_(*ORDER), tuple_(*position)
            statement = statement.where(here > there if self.newer else here < there)
        order = [column.asc() if self.newer else column.desc() for column in ORDER]
        left = self.limit + 1 - len(self.rows)
        self.rows += self.connection.execute(statement.order_by(*order).limit(left)).all()

    def nearest(self, low: int, high: int) -> int | None:
        """The begin of the nearest quarter of an hour, in the direction, that can have matches."""
        bucket = tally.c.bucket
        best = func.min(bucket) if self.newer else func.max(bucket)
        known = Query(**{name: getattr(self.query, name) for name in OF_TALLIES if name != "code"})
        statement = narrowed(select(best), known)
        if self.query.code is not None:
            statement = statement.where(tally.c.code == self.query.code)
        statement = statement.where(bucket > low - BUCKET_US, bucket < high)
        found = self.connection.execute(statement).scalar()
        return None if found is None else int(found)


def sheet(
    connection: Connection,
    query: Query,
    limit: int,
    position: str | None = None,
    *,
    newer: bool = False,
    budget_s: float = BUDGET_S,
) -> Sheet:
    """A page of what a query means: the newest, or what follows a position in one direction.

    Raises ArchiveError for a position that is none.
    """
    start = position_of(position) if position else None
    first, last = span(connection, query)
    if first is None or last is None:
        return Sheet([], None, None)
    search = _Search(connection, timeless(query), limit, newer, first, last)
    if any(getattr(query, name) is not None for name in INDEXED):
        search.window(first, last + 1, start)
        reached = None
    else:
        reached = _walk(search, start, budget_s)
    return _made(search, position, reached)


def timeless(query: Query) -> Query:
    """A query without its times, where a window has them: SQLite would use the wider of both."""
    return query.model_copy(update={"since": None, "until": None})


def span(connection: Connection, query: Query) -> tuple[int | None, int | None]:
    """The first and the last microsecond to look at; None where there is nothing."""
    ends = []
    for end in (func.min, func.max):
        ends.append(connection.execute(select(end(inspection.c.at))).scalar())
    first, last = ends
    if first is None or last is None:
        return None, None
    if query.since is not None:
        first = max(first, microseconds(query.since))
    if query.until is not None:
        last = min(last, microseconds(query.until) - 1)
    return (first, last) if first <= last else (None, None)


def windows(low: int, high: int, budget_s: float) -> Iterator[tuple[int, int]]:
    """Times from `high` down to `low`, in pieces that take about WINDOW_S each; at least one.

    Ends early when the time is over: then the last piece does not begin at `low`.
    """
    end, width = time.perf_counter() + budget_s, float(FIRST_US)
    while low < high:
        begun, border = time.perf_counter(), max(low, high - int(width))
        yield border, high
        high, now = border, time.perf_counter()
        if now > end:
            return
        width *= _growth(now - begun)


def _growth(taken_s: float) -> float:
    """By how much the next window is longer than one that took so long."""
    return min(4.0, max(0.25, WINDOW_S / max(taken_s, 1e-6)))


def _walk(search: _Search, start: list[int] | None, budget_s: float) -> int | None:
    """Look at window after window; where the time was over, the time that was reached."""
    end, width = time.perf_counter() + budget_s, float(FIRST_US)
    low, high = search.first, search.last + 1
    if start is not None:
        low, high = (max(low, start[0]), high) if search.newer else (low, min(high, start[0] + 1))
    while low < high and len(search.rows) <= search.limit:
        begun = time.perf_counter()
        bucket = search.nearest(low, high)
        if bucket is None:
            return None
        if search.newer:
            low = max(low, bucket)
            border = min(high, low + int(width))
            search.window(low, border, start)
            low = border
        else:
            high = min(high, bucket + BUCKET_US)
            border = max(low, high - int(width))
            search.window(border, high, start)
            high = border
        now = time.perf_counter()
        if now > end and low < high and len(search.rows) <= search.limit:
            return low if search.newer else high
        width *= _growth(now - begun)
    return None


def _made(search: _Search, position: str | None, reached: int | None) -> Sheet:
    """The page of a search that has ended."""
    is_more = len(search.rows) > search.limit or reached is not None
    parts = [found_of(row) for row in search.rows[: search.limit]]
    if search.newer:
        older = parts[0].position if parts else position
        newest = parts[-1].position if parts else position
        if reached is not None and len(parts) < search.limit:
            newest = f"{reached}.0.0"
        return Sheet(parts[::-1], older, newest if is_more else None, _time(reached))
    last = parts[-1].position if parts else None
    if reached is not None:
        last = f"{reached}.0.0"
    newer = parts[0].position if parts else position
    return Sheet(parts, last if is_more else None, newer if position else None, _time(reached))


def _time(reached: int | None) -> datetime | None:
    return None if reached is None else EPOCH + timedelta(microseconds=reached)
