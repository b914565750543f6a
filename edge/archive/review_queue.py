"""Which parts deserve a person's eyes: near the threshold, NG without a label, some OK parts.

Only parts whose picture the archive has: nobody can judge the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from edge.archive.conditions import conditions
from edge.archive.labels import WITHDRAWN
from edge.archive.query import Query
from edge.archive.rows import EPOCH
from edge.archive.search import ORDER, Found, found_of, selected
from edge.archive.sheets import span, timeless, windows
from edge.archive.tables import PART, VERDICTS, PictureState, inspection, label

Why = Literal["near", "ng", "sample", "second"]
NEAR = 0.2  # of the threshold
LIMIT = 40  # parts for each reason
HASHES = 65_536
BUDGET_S = 0.4  # for each reason
CANDIDATES = 25  # parts near the threshold to choose the nearest from, for each that is wanted
GIVEN = label.alias("given").c  # beside the label that counts, which selected() has joined


@dataclass(frozen=True)
class Item:
    """A part of the queue, and why it is in it."""

    part: Found
    why: Why


@dataclass(frozen=True)
class Wanted:
    """What a queue has: of which parts (product, station, version, times), for which reasons."""

    query: Query
    reasons: Sequence[Why] = get_args(Why)[:3]
    ok_one_in: int = 10  # of the OK parts with a picture
    limit: int = LIMIT


@dataclass(frozen=True)
class Queue:
    """Parts to review; `without_picture` NG parts without a label were left out.

    `reached` is how far back the search came when its time was over; None if it looked everywhere.
    """

    items: Sequence[Item]
    without_picture: int = 0
    reached: datetime | None = None


def queue(connection: Connection, wanted: Wanted, budget_s: float = BUDGET_S) -> Queue:
    """The parts, those nearest to their threshold first; each once, with its first reason."""
    first, last = span(connection, wanted.query)
    if first is None or last is None:
        return Queue([])
    wanted = replace(wanted, query=timeless(wanted.query))
    made: dict[str, Item] = {}
    reached = first
    for why in wanted.reasons:
        rows, low = _search(connection, wanted, why, (first, last + 1), budget_s)
        reached = max(reached, low)
        for part in (found_of(row) for row in rows):
            made.setdefault(part.key, Item(part, why))
    blind = sum(
        _without_picture(connection, wanted.query, low, high)
        for low, high in windows(first, last + 1, budget_s)
    )
    is_whole = reached == first
    at = None if is_whole else EPOCH + timedelta(microseconds=reached)
    return Queue(list(made.values()), blind, at)


def _search(
    connection: Connection, wanted: Wanted, why: Why, times: tuple[int, int], budget_s: float
) -> tuple[Sequence[Any], int]:
    """The rows for one reason, and how far back they were looked for because of the time."""
    is_near = why == "near"
    most = wanted.limit * (CANDIDATES if is_near else 1)
    statement, rows, reached = _statement(connection, wanted, why), list[Any](), times[1]
    for low, high in windows(*times, budget_s):
        found = statement.where(low <= PART.at, high > PART.at).limit(most - len(rows))
        rows += connection.execute(found).all()
        reached = low
        if len(rows) == most:
            return _nearest(rows, wanted.limit) if is_near else rows, times[0]
    return _nearest(rows, wanted.limit) if is_near else rows, reached


def _nearest(rows: Sequence[Any], limit: int) -> Sequence[Any]:
    """Those whose score is nearest to the threshold, the nearest first."""
    return sorted(rows, key=lambda row: abs(row.score / row.threshold - 1))[:limit]


def second_queue(connection: Connection, wanted: Wanted, who: str) -> list[Item]:
    """Parts that others have labelled and `who` has not, newest first, without their label."""
    same = (GIVEN.stream == PART.stream) & (GIVEN.seq == PART.seq)
    one = case((GIVEN.label == WITHDRAWN, -1), else_=1)
    own = select(func.coalesce(func.sum(one), 0)).where(same, GIVEN.who == who)
    of = (*conditions(connection, wanted.query), _has_picture(), label.c.label.is_not(None))
    statement = selected().where(*of, own.correlate(inspection).scalar_subquery() == 0)
    rows = connection.execute(_newest_first(statement).limit(wanted.limit * 3))
    return [Item(replace(found_of(row), label=None, kind=None), "second") for row in rows]


def _without_picture(connection: Connection, query: Query, low: int, high: int) -> int:
    """NG parts of a time without a label that nobody can judge."""
    ng = query.model_copy(update={"verdict": "NG"})
    same = (GIVEN.stream == PART.stream) & (GIVEN.seq == PART.seq)
    labelled = select(GIVEN.id).where(same, GIVEN.newest == 1).correlate(inspection).exists()
    of = (*conditions(connection, ng), ~_has_picture(), ~labelled)
    statement = select(func.count()).select_from(inspection)
    found = connection.execute(statement.where(low <= PART.at, high > PART.at, *of))
    return int(found.scalar_one())


def _statement(connection: Connection, wanted: Wanted, why: Why) -> Select[Any]:
    statement = selected().where(label.c.label.is_(None), _has_picture())
    if why == "ng":
        query = wanted.query.model_copy(update={"verdict": "NG"})
        return _newest_first(statement.where(*conditions(connection, query)))
    statement = statement.where(*conditions(connection, wanted.query))
    if why == "sample":
        return _newest_first(
            statement.where(PART.verdict == VERDICTS.index("OK"), is_sampled(wanted.ok_one_in))
        )
    distance = func.abs(PART.score / PART.threshold - 1)
    return _newest_first(statement.where(PART.threshold > 0, distance <= NEAR))


def is_sampled(one_in: int) -> ColumnElement[bool]:
    """The rule of the sample: a multiplicative hash of the inspection's id, one in `one_in`."""
    return PART.inspection_id * 40_503 % HASHES < HASHES // one_in


def _has_picture() -> ColumnElement[bool]:
    # Not "picture IS NOT NULL": SQLite would read its whole index for each piece of time.
    return PART.picture_state == PictureState.KEPT


def _newest_first(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(*(column.desc() for column in ORDER))
