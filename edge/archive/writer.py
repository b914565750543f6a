"""Writes batches of events into the archive, each event once: masks first, then one transaction."""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, select

from edge.archive.batch import Batch, Received
from edge.archive.database import reading, writing
from edge.archive.errors import ArchiveDataError
from edge.archive.names import Names
from edge.archive.objects import keep_objects
from edge.archive.picture_store import PictureStore
from edge.archive.restored_log import is_archived
from edge.archive.tables import stream
from edge.events.cursor_file import Cursor
from edge.events.event import Event, Inspection

log = logging.getLogger(__name__)

STREAM_ID = re.compile("[0-9A-Za-z-]{8,64}")  # as in requests for frames


class Writer:
    """Writes batches of events; for one thread.

    Frames are asked for of every part that is not OK, and of one OK part in `ok_one_in`. The
    streams of `endpoints` are their own: events of one that come from another are left out.
    """

    def __init__(
        self,
        engine: Engine,
        store: PictureStore,
        ok_one_in: int = 100,
        endpoints: Collection[str] = (),
    ) -> None:
        self._engine, self._store, self._ok_one_in = engine, store, ok_one_in
        self._endpoints, self._warned = endpoints, set[str]()
        query = select(stream.c.stream_id, stream.c.endpoint)
        with reading(engine) as connection:
            rows = connection.execute(query.where(stream.c.endpoint.in_(endpoints)))
            self._owners = {row.stream_id: row.endpoint for row in rows}
        self._names = Names()

    def cursor(self, endpoint: str) -> Cursor:
        """Where to go on at a station; before the first event of any log if it is new."""
        query = select(stream.c.stream_id, stream.c.head).where(stream.c.endpoint == endpoint)
        with reading(self._engine) as connection:
            row = connection.execute(query.order_by(stream.c.id.desc()).limit(1)).first()
        return Cursor(row.stream_id, row.head) if row else Cursor("", 0)

    def has(self, event: Event) -> bool:
        """Whether an event was written; for any thread. Raises ArchiveError."""
        with reading(self._engine) as connection:
            return is_archived(connection, event)

    def write(self, batch: Sequence[Received]) -> None:
        """Write all of a batch or, with ArchiveError, nothing; masks go to the store before.

        Raises ArchiveDataError where an event of it cannot be written at all.
        """
        batch = [received for received in batch if self._is_its_own(received)]
        masks = {id(r.event): self._mask(r.event) for r in batch}
        keep_objects(self._engine, self._store, [data for data in masks.values() if data])
        with self._transaction() as rows:
            rows.write(batch, masks)

    def refuse(self, received: Received, error: Exception) -> None:
        """Keep an event that cannot be written as what it is, with the reason, and go on after it.

        Raises ArchiveError.
        """
        header = received.event.header
        log.warning("event %d of %s is kept as refused: %s", header.seq, received.endpoint, error)
        with self._transaction() as rows:
            rows.refuse(received, str(error))

    @contextmanager
    def _transaction(self) -> Iterator[Batch]:
        try:
            with writing(self._engine) as connection:
                yield Batch(connection, self._names, self._ok_one_in)
        except BaseException as error:
            self._names.clear()  # numbers of rows that were rolled back
            if isinstance(error, ValueError):  # while the rows were made
                raise ArchiveDataError(f"an event cannot be archived ({error})") from error
            raise

    def _is_its_own(self, received: Received) -> bool:
        """Whether an event belongs to the station that it came from, and names its log properly."""
        stream_id = received.event.header.stream_id
        owner = self._owners.setdefault(stream_id, received.endpoint)
        foreign = owner != received.endpoint and owner in self._endpoints
        if not foreign and STREAM_ID.fullmatch(stream_id):
            return True
        if received.endpoint not in self._warned:
            self._warned.add(received.endpoint)
            why = f"is that of {owner}" if foreign else "is no name of a log"
            log.error("events of %s are left out: its stream %s", received.endpoint, why)
        return False

    @staticmethod
    def _mask(event: Event) -> bytes:
        """The mask of a part that is not OK."""
        header = event.header
        return event.mask_png if isinstance(header, Inspection) and header.verdict != "OK" else b""
