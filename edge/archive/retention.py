"""Deletes old pictures and masks, by age, verdict and label, in a thread of its own.

Rows stop naming an object first; the object is deleted later (objects.py). Age counts from when a
part was archived, by this machine's clock: a station's own may be wrong. Rows, labels, counts and
the audit trail are kept.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event as StopEvent
from threading import Thread

from sqlalchemy import Engine, exists, select, text, update

from edge.archive.database import reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.objects import delete_unwanted, note_unwanted
from edge.archive.picture_store import PictureStore
from edge.archive.rows import microseconds
from edge.archive.tables import HAS_OBJECT, PART, VERDICTS, PictureState, inspection, label
from edge.base.closeable import Closeable

log = logging.getLogger(__name__)

BATCH, ROUND_S = 200, 60.0


@dataclass(frozen=True)
class ArchiveLimits:
    """Days that pictures of OK parts, and of others, are kept; None keeps for ever.

    Labelled parts keep theirs for ever.
    """

    ok_picture_days: float | None = 30
    picture_days: float | None = 365


class ArchiveRetention(Closeable):
    """Trims once a minute, and on while there is more, until it is closed."""

    def __init__(self, engine: Engine, store: PictureStore, limits: ArchiveLimits) -> None:
        self._engine, self._store, self._limits = engine, store, limits
        self._stop = StopEvent()
        self._thread = Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin; `trim` alone needs no thread."""
        self._thread.start()

    def _run(self) -> None:
        wait_s, failed = 0.0, False
        while not self._stop.wait(wait_s):
            wait_s = ROUND_S
            try:
                if self.trim():
                    wait_s = 1.0
                failed = False
            except ArchiveError as error:
                if not failed:
                    log.warning("nothing old is deleted for now: %s", error)
                failed = True

    def trim(self) -> bool:
        """Delete one batch of each verdict; whether there may be more. Raises ArchiveError."""
        more = False
        for number, verdict in enumerate(VERDICTS):
            ok = verdict == "OK"
            days = self._limits.ok_picture_days if ok else self._limits.picture_days
            if days is not None:
                more |= self._trim(number, microseconds(datetime.now(UTC) - timedelta(days=days)))
        delete_unwanted(self._engine, self._store)
        return more

    def _trim(self, verdict: int, before: int) -> bool:
        """Found without a lock, then changed where they are still as they were."""
        labelled = exists().where((label.c.stream == PART.stream) & (label.c.seq == PART.seq))
        query = (
            select(PART.stream, PART.seq, PART.picture, PART.mask)
            .where(text(HAS_OBJECT), PART.verdict == verdict, PART.archived < before, ~labelled)
            .order_by(PART.archived)
            .limit(BATCH)
        )
        with reading(self._engine) as connection:
            found = connection.execute(query).all()
        for row in found:
            this = (PART.stream == row.stream) & (PART.seq == row.seq) & ~labelled
            values = {"picture": None, "mask": None, "picture_state": PictureState.TRIMMED}
            with writing(self._engine) as connection:
                if connection.execute(update(inspection).where(this).values(values)).rowcount:
                    note_unwanted(connection, [d for d in (row.picture, row.mask) if d])
        return len(found) == BATCH

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(30)
