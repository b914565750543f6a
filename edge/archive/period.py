"""What else happened in a period: faults and changed states; the worst parts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, select

from edge.archive.query import Query
from edge.archive.rows import EPOCH, microseconds
from edge.archive.search import Found, find_worst
from edge.archive.tables import fault, product, status, stream, version
from edge.events.codes import code_name


@dataclass(frozen=True)
class FaultRow:
    """A fault that a station reported."""

    at: datetime
    station: str
    code: str
    message: str


@dataclass(frozen=True)
class StatusRow:
    """A state that a station changed to, with its product."""

    at: datetime
    station: str
    state: str
    product: str
    version: str


def faults(connection: Connection, since: datetime, until: datetime, limit: int) -> list[FaultRow]:
    """The first faults of a period."""
    statement = select(fault.c.at, stream.c.station, fault.c.code, fault.c.message)
    statement = statement.join(stream, stream.c.id == fault.c.stream)
    rows = connection.execute(_within(statement, fault.c.at, since, until, limit))
    return [FaultRow(_at(row.at), row.station, code_name(row.code), row.message) for row in rows]


def states(connection: Connection, since: datetime, until: datetime, limit: int) -> list[StatusRow]:
    """The first changes of state and product of a period."""
    names = (stream.c.station, status.c.state, product.c.name.label("product"))
    statement = (
        select(status.c.at, *names, version.c.name.label("version"))
        .join(stream, stream.c.id == status.c.stream)
        .join(product, product.c.id == status.c.product)
        .join(version, version.c.id == status.c.version)
    )
    rows = connection.execute(_within(statement, status.c.at, since, until, limit))
    return [StatusRow(_at(r.at), r.station, r.state, r.product, r.version) for r in rows]


def worst(connection: Connection, query: Query, limit: int) -> list[Found]:
    """The NG parts with the highest score as part of the threshold."""
    return find_worst(connection, query.model_copy(update={"verdict": "NG"}), limit)


def _within(
    statement: Select[Any], column: Any, since: datetime, until: datetime, limit: int
) -> Select[Any]:
    times = column >= microseconds(since), column < microseconds(until)
    return statement.where(*times).order_by(column).limit(limit)


def _at(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)
