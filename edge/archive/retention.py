"""What the archive keeps: pictures by age, number of bytes and label; rows by age.

Rows stop naming a picture first; the picture is deleted later (objects.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Select, delete, exists, select, update

from edge.archive.database import writing
from edge.archive.objects import delete_unwanted, note_unwanted
from edge.archive.picture_store import PictureStore
from edge.archive.rows import microseconds
from edge.archive.tables import PictureState, fault, inspection, label, region, status

BATCH = 500
PART = inspection.c


@dataclass(frozen=True)
class ArchiveLimits:
    """Days that pictures of OK parts, of other parts, and rows are kept; None keeps for ever.

    Labelled parts keep their pictures and rows for ever. Statistics (tallies) are never deleted.
    """

    ok_picture_days: float | None = 30
    picture_days: float | None = 365
    row_days: float | None = None


class ArchiveRetention:
    """Deletes in small batches, so that writing events never waits long."""

    def __init__(self, engine: Engine, store: PictureStore, limits: ArchiveLimits) -> None:
        self._engine, self._store, self._limits = engine, store, limits

    def trim(self) -> bool:
        """Delete one batch of each; whether there may be more."""
        more = False
        limits = self._limits
        if limits.ok_picture_days is not None:
            more |= self._trim_pictures((PART.verdict == 0) & _older(limits.ok_picture_days))
        if limits.picture_days is not None:
            more |= self._trim_pictures(_older(limits.picture_days))
        if limits.row_days is not None:
            more |= self._trim_rows(_older(limits.row_days))
        delete_unwanted(self._engine, self._store)
        return more

    def _trim_pictures(self, which: ColumnElement[bool]) -> bool:
        kept = PART.picture_state == PictureState.KEPT
        with writing(self._engine) as connection:
            found = connection.execute(_keys().where(which, kept, ~_labelled()).limit(BATCH)).all()
            for row in found:
                values = {"picture": None, "mask": None, "picture_state": PictureState.TRIMMED}
                connection.execute(update(inspection).where(_is(row)).values(values))
            note_unwanted(connection, [d for row in found for d in (row.picture, row.mask) if d])
        return len(found) == BATCH

    def _trim_rows(self, which: ColumnElement[bool]) -> bool:
        with writing(self._engine) as connection:
            found = connection.execute(_keys().where(which, ~_labelled()).limit(BATCH)).all()
            for row in found:
                connection.execute(
                    delete(region).where(region.c.stream == row.stream, region.c.seq == row.seq)
                )
                connection.execute(delete(inspection).where(_is(row)))
            note_unwanted(connection, [d for row in found for d in (row.picture, row.mask) if d])
            before = _microseconds_before(self._limits.row_days or 0)
            for table in (fault, status):
                connection.execute(delete(table).where(table.c.at < before))
        return len(found) == BATCH


def _keys() -> "Select[int, int, bytes, bytes]":
    return select(PART.stream, PART.seq, PART.picture, PART.mask).order_by(PART.at)


def _is(row: object) -> ColumnElement[bool]:
    key: ColumnElement[bool] = (PART.stream == row.stream) & (PART.seq == row.seq)  # type: ignore[attr-defined]
    return key


def _older(days: float) -> ColumnElement[bool]:
    return _microseconds_before(days) > PART.at


def _microseconds_before(days: float) -> int:
    return microseconds(datetime.now(UTC) - timedelta(days=days))


def _labelled() -> ColumnElement[bool]:
    return exists().where((label.c.stream == PART.stream) & (label.c.seq == PART.seq))
