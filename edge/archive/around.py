"""What happened around a part: the parts before and after it, faults and changes of state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Select, literal, select

from edge.archive.rows import EPOCH, microseconds
from edge.archive.search import Found, find_one, found_of, is_key, selected
from edge.archive.tables import PART, fault, inspection, product, status, stream, version
from edge.events.codes import code_name

WITHIN = timedelta(minutes=5)
MOST = 50


@dataclass(frozen=True)
class Incident:
    """A fault (`word` is its code) or a change of state (`word` is the new one) of a station."""

    at: datetime
    kind: Literal["fault", "status"]
    word: str
    message: str


def neighbours(connection: Connection, key: str, count: int) -> list[Found]:
    """`count` parts before and after an inspection in its station's log, with itself, oldest first.

    Raises ArchiveError for an unknown key.
    """
    find_one(connection, key)
    number, seq = (int(part) for part in key.split("-"))
    same = PART.stream == number
    before = selected().where(same, seq > PART.seq).order_by(PART.seq.desc()).limit(count)
    after = selected().where(same, seq < PART.seq).order_by(PART.seq).limit(count)
    this = selected().where(is_key(inspection, key))
    rows = [*connection.execute(before).all()[::-1], *connection.execute(this)]
    return [found_of(row) for row in (*rows, *connection.execute(after))]


def incidents(connection: Connection, part: Found, within: timedelta = WITHIN) -> list[Incident]:
    """Faults and changes of state of a part's station near its time, oldest first, MOST at most."""
    first, last = microseconds(part.at - within), microseconds(part.at + within)
    names = product.c.name + " " + version.c.name
    faults = _of_station(part, select(fault.c.at, fault.c.code, fault.c.message), fault)
    changes = _of_station(part, select(status.c.at, status.c.state, names), status)
    changes = changes.join(product, product.c.id == status.c.product)
    changes = changes.join(version, version.c.id == status.c.version)
    made: list[Incident] = []
    for at, code, message in connection.execute(faults.where(fault.c.at.between(first, last))):
        made.append(Incident(_time(at), "fault", code_name(code), message))
    for at, state, name in connection.execute(changes.where(status.c.at.between(first, last))):
        made.append(Incident(_time(at), "status", state, name))
    return sorted(made, key=lambda one: one.at)


def _of_station(part: Found, statement: Select[Any], table: Any) -> Select[Any]:
    statement = statement.select_from(table).join(stream, stream.c.id == table.c.stream)
    return statement.where(stream.c.station == literal(part.station)).limit(MOST)


def _time(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


@dataclass(frozen=True)
class Names:
    """The names that inspections have: for lists to choose from."""

    stations: Sequence[str]
    versions: dict[str, Sequence[str]]
    """The versions of each product, newest first."""


def names(connection: Connection) -> Names:
    """All stations, products and versions."""
    stations = connection.execute(select(stream.c.station).distinct().order_by(stream.c.station))
    pairs = select(product.c.name, version.c.name).join(version, version.c.product == product.c.id)
    found: dict[str, list[str]] = {}
    for name, of in connection.execute(pairs.order_by(product.c.name, version.c.id.desc())):
        found.setdefault(name, []).append(of)
    return Names(list(stations.scalars()), {name: tuple(of) for name, of in found.items()})
