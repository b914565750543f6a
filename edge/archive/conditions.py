"""What a query means, as conditions of SQL on the table `inspection`."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, literal_column, select, tuple_
from sqlalchemy import text as sql

from edge.archive.query import Query
from edge.archive.rows import microseconds
from edge.archive.tables import NOT_OK, PART, VERDICTS, label, product, region, stream, version


def conditions(connection: Connection, query: Query) -> list[ColumnElement[bool]]:
    """What must hold of the rows of `inspection`. Names become numbers first, for the indexes."""
    made: list[ColumnElement[bool]] = []
    if query.since is not None:
        made.append(microseconds(query.since) <= PART.at)
    if query.until is not None:
        made.append(microseconds(query.until) > PART.at)
    if query.station is not None:
        made.append(
            PART.stream.in_(
                _numbers(connection, select(stream.c.id), stream.c.station, query.station)
            )
        )
    if query.product is not None:
        found = _numbers(connection, select(product.c.id), product.c.name, query.product)
        made.append(PART.product == found[0] if found else literal_column("1 = 0"))
    if query.version is not None:
        made.append(
            PART.version.in_(
                _numbers(connection, select(version.c.id), version.c.name, query.version)
            )
        )
    if query.verdict is not None:
        made.append(PART.verdict == VERDICTS.index(query.verdict))
        made += [sql(NOT_OK)] if query.verdict != "OK" else []  # type: ignore[list-item]
    made += [
        column == value
        for column, value in (
            (PART.code, query.code),
            (PART.part_id, query.part),
            (PART.trigger_id, query.trigger),
            (PART.inspection_id, query.inspection),
            (PART.roi, query.roi),
        )
        if value is not None
    ]
    if query.score_from is not None:
        made.append(PART.score >= query.score_from)
    if query.score_to is not None:
        made.append(PART.score <= query.score_to)
    if query.label is not None or query.kind is not None:
        made.append(_labelled(query))
    if query.box is not None:
        made.append(_touches(*query.box))
    return made


def _numbers(
    connection: Connection, of: Select[Any], column: ColumnElement[str], name: str
) -> list[int]:
    return list(connection.execute(of.where(column == name)).scalars())


def _labelled(query: Query) -> ColumnElement[bool]:
    rows = select(label.c.stream, label.c.seq).where(label.c.newest == 1)
    if query.label is not None:
        rows = rows.where(label.c.label == query.label)
    if query.kind is not None:
        rows = rows.where(label.c.kind == query.kind)
    return tuple_(PART.stream, PART.seq).in_(rows)


def touched(box: tuple[int, int, int, int], low: int, high: int) -> ColumnElement[bool]:
    """The inspections of some microseconds with a defect in a box, found by their regions.

    Few parts have regions: the place and the time of these are looked at first.
    """
    r = region.c
    rows = select(r.stream, r.seq).where(
        r.product.in_(select(product.c.id)),  # all of them, for the index
        low <= r.at, high > r.at, _overlaps(*box),
    )  # fmt: skip
    return tuple_(PART.stream, PART.seq).in_(rows)


def _touches(x: int, y: int, width: int, height: int) -> ColumnElement[bool]:
    same_part = (region.c.stream == PART.stream) & (region.c.seq == PART.seq)
    touching = exists().where(same_part & _overlaps(x, y, width, height))
    return (PART.regions > 0) & touching  # most parts have none, and need no look


def _overlaps(x: int, y: int, width: int, height: int) -> ColumnElement[bool]:
    r = region.c
    return (r.x < x + width) & (r.x + r.width > x) & (r.y < y + height) & (r.y + r.height > y)
