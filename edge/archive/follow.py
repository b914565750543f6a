"""What the archive has got since a position in each stream, for programs that act on it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, literal, select, union_all

from edge.archive.rows import EPOCH
from edge.archive.tables import VERDICTS, fault, inspection, product, status, stream, version
from edge.events.codes import code_name


@dataclass(frozen=True)
class Log:
    """A station's log in the archive, and its last archived event."""

    number: int
    stream_id: str
    station: str
    head: int


@dataclass(frozen=True)
class Arrived:
    """An archived event in brief; what its kind does not have is empty."""

    kind: str  # inspection, fault, status
    stream: Log
    seq: int
    at: datetime
    product: str = ""
    version: str = ""
    verdict: str = ""
    part_id: str = ""
    code: str = ""
    message: str = ""


def logs(connection: Connection) -> list[Log]:
    """All logs, in the order in which the archive met them."""
    rows = connection.execute(select(stream).order_by(stream.c.id))
    return [Log(row.id, f"{row.stream_id}.{row.epoch}", row.station, row.head) for row in rows]


def arrived(connection: Connection, of: Log, after: int, last: int) -> list[Arrived]:
    """The events of a stream after number `after` up to number `last`, in their order."""
    parts = (made(of, after, last) for made in (_inspections, _faults, _states))
    rows = connection.execute(union_all(*parts).order_by("seq"))
    return [
        Arrived(
            row.kind,
            of,
            row.seq,
            EPOCH + timedelta(microseconds=row.at),
            row.product,
            row.version,
            VERDICTS[row.verdict] if row.kind == "inspection" else "",
            row.part_id or "",
            code_name(row.code),
            row.message,
        )
        for row in rows
    ]


def product_before(connection: Connection, of: Log, seq: int) -> tuple[str, str] | None:
    """Product and version of the last state before an event; None for the first."""
    names = select(product.c.name, version.c.name.label("version"))
    statement = _with_product(names.select_from(status), status)
    this = status.c.stream == of.number, status.c.seq < seq
    row = connection.execute(statement.where(*this).order_by(status.c.seq.desc()).limit(1)).first()
    return (row[0], row[1]) if row else None


def _inspections(of: Log, after: int, last: int) -> Select[Any]:
    t = inspection.c
    statement = select(
        literal("inspection").label("kind"), t.seq, t.at, product.c.name.label("product"),
        version.c.name.label("version"), t.verdict, t.part_id, t.code, literal("").label("message"),
    )  # fmt: skip
    return _between(
        _with_product(statement.select_from(inspection), inspection), t, of, after, last
    )


def _faults(of: Log, after: int, last: int) -> Select[Any]:
    t = fault.c
    statement = select(
        literal("fault").label("kind"), t.seq, t.at, literal("").label("product"),
        literal("").label("version"), literal(0).label("verdict"), literal("").label("part_id"),
        t.code, t.message,
    )  # fmt: skip
    return _between(statement, t, of, after, last)


def _states(of: Log, after: int, last: int) -> Select[Any]:
    t = status.c
    statement = select(
        literal("status").label("kind"), t.seq, t.at, product.c.name.label("product"),
        version.c.name.label("version"), literal(0).label("verdict"), literal("").label("part_id"),
        literal(0).label("code"), t.state.label("message"),
    )  # fmt: skip
    return _between(_with_product(statement.select_from(status), status), t, of, after, last)


def _with_product(statement: Select[Any], table: Table) -> Select[Any]:
    return statement.join(product, product.c.id == table.c.product).join(
        version, version.c.id == table.c.version
    )


def _between(statement: Select[Any], columns: Any, of: Log, after: int, last: int) -> Select[Any]:
    return statement.where(columns.stream == of.number, columns.seq > after, columns.seq <= last)
