"""Searches inspections: newest first, in pages that go on after the last one found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, select, tuple_

from edge.archive.conditions import conditions
from edge.archive.errors import ArchiveError
from edge.archive.query import LARGEST, Query
from edge.archive.rows import EPOCH, microseconds
from edge.archive.tables import (
    PART,
    VERDICTS,
    PictureState,
    inspection,
    label,
    product,
    stream,
    version,
)
from edge.events.codes import code_name

ORDER = (PART.at, PART.stream, PART.seq)


@dataclass(frozen=True)
class Found:
    """An inspection in the archive. `key` names it in this archive; digests are hexadecimal."""

    key: str
    at: datetime
    station: str
    product: str
    version: str
    inspection_id: int
    trigger_id: int | None
    encoder: int | None
    part_id: str | None
    verdict: str
    code: str
    score: float | None
    threshold: float | None
    roi: str | None
    regions: int
    passed_over: int
    label: str | None
    kind: str | None
    picture: str | None
    picture_state: str
    mask: str | None
    details: dict[str, Any]

    @property
    def position(self) -> str:
        """Its place in the order of all inspections, for `after` of find()."""
        number, _, seq = self.key.partition("-")
        return f"{microseconds(self.at)}.{number}.{seq}"


@dataclass(frozen=True)
class Page:
    """Some inspections, and where the next page begins; None after the last."""

    parts: Sequence[Found]
    after: str | None


def find(connection: Connection, query: Query, limit: int, after: str | None) -> Page:
    """One page of the inspections that a query means. Raises ArchiveError."""
    statement = selected().where(*conditions(connection, query))
    if after is not None:
        statement = statement.where(tuple_(*ORDER) < tuple_(*position_of(after)))
    statement = statement.order_by(*(column.desc() for column in ORDER)).limit(limit + 1)
    rows = connection.execute(statement).all()
    last = rows[limit - 1] if len(rows) > limit else None
    position = f"{last.at}.{last.stream}.{last.seq}" if last else None
    return Page([found_of(row) for row in rows[:limit]], position)


def find_worst(connection: Connection, query: Query, limit: int) -> list[Found]:
    """Those with the highest score as part of the threshold, worst first. Raises ArchiveError."""
    has_score = PART.score.is_not(None), PART.threshold > 0
    statement = selected().where(*conditions(connection, query), *has_score)
    order = (PART.score / PART.threshold).desc(), *ORDER
    return [found_of(row) for row in connection.execute(statement.order_by(*order).limit(limit))]


def find_one(connection: Connection, key: str) -> Found:
    """The inspection of a key. Raises ArchiveError."""
    row = connection.execute(selected().where(is_key(inspection, key))).first()
    if row is None:
        raise ArchiveError(f"no inspection has the key {key}: see 'draem archive find'")
    return found_of(row)


def key_of(connection: Connection, stream_id: str, seq: int) -> str | None:
    """The key of the newest inspection with this number in a log; None if there is none."""
    statement = (
        select(PART.stream)
        .join(stream, stream.c.id == PART.stream)
        .where(stream.c.stream_id == stream_id, PART.seq == seq)
        .order_by(stream.c.epoch.desc())
    )
    found = connection.execute(statement.limit(1)).scalar()
    return None if found is None else f"{found}-{seq}"


def head_of(connection: Connection, stream_id: str) -> int | None:
    """The last archived event of a log; None where nothing of it is archived."""
    newest = select(stream.c.head).where(stream.c.stream_id == stream_id)
    head = connection.execute(newest.order_by(stream.c.epoch.desc()).limit(1)).scalar()
    return None if head is None else int(head)


def is_key(table: Table, key: str) -> ColumnElement[bool]:
    """The condition for the rows of one inspection, by its key. Raises ArchiveError."""
    number, _, seq = key.partition("-")
    if not (number.isdecimal() and seq.isdecimal()) or max(int(number), int(seq)) >= LARGEST:
        raise ArchiveError(f"'{key}' is no key: write one of 'draem archive find', as 1-4711")
    return and_(table.c.stream == int(number), table.c.seq == int(seq))


def selected() -> Select[Any]:
    """All that is known of inspections, with their names and the label that counts."""
    newest = and_(label.c.stream == PART.stream, label.c.seq == PART.seq, label.c.newest == 1)
    columns = [column for column in inspection.c if column.name not in ("product", "version")]
    named = product.c.name.label("product_name"), version.c.name.label("version_name")
    return (
        select(*columns, *named, stream.c.station, label.c.label, label.c.kind)
        .join(stream, stream.c.id == PART.stream)
        .join(product, product.c.id == PART.product)
        .join(version, version.c.id == PART.version)
        .outerjoin(label, newest)
    )


def position_of(after: str) -> list[int]:
    """A position as the values of ORDER. Raises ArchiveError."""
    parts = after.split(".")
    if len(parts) != 3 or not all(p.isdecimal() and int(p) < LARGEST for p in parts):
        raise ArchiveError(f"'{after}' is no place in the archive: give the one of the page before")
    return [int(part) for part in parts]


def found_of(row: Row[*tuple[Any, ...]]) -> Found:
    """A row of selected()."""
    copied = ("station", "inspection_id", "trigger_id", "encoder", "part_id", "score", "threshold")
    more = ("roi", "regions", "passed_over", "label", "kind")
    return Found(
        key=f"{row.stream}-{row.seq}",
        at=EPOCH + timedelta(microseconds=row.at),
        product=row.product_name,
        version=row.version_name,
        verdict=VERDICTS[row.verdict],
        code=code_name(row.code),
        picture=row.picture.hex() if row.picture else None,
        picture_state=PictureState(row.picture_state).name.lower(),
        mask=row.mask.hex() if row.mask else None,
        details=json.loads(row.details),
        **{name: getattr(row, name) for name in (*copied, *more)},
    )
