"""Fetches the frames of archived inspections from their stations, in a thread of its own.

Which ones are awaited stands in the database, so that a restart forgets none. A frame is stored
before its row names it.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from threading import Event as StopEvent
from threading import Thread
from typing import Any

from sqlalchemy import Engine, Row, bindparam, select, text, tuple_, update

from edge.archive.database import reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.objects import keep_objects
from edge.archive.picture_store import PictureStore
from edge.archive.tables import AWAITED, PictureState, inspection, stream
from edge.base.closeable import Closeable
from edge.events.client import NoAnswer, RequestClient

AwaitedRow = Row[*tuple[Any, ...]]

log = logging.getLogger(__name__)

ROUND_S, PAGE = 0.5, 100
PNG = b"\x89PNG\r\n\x1a\n"
SETTLE_S = 30.0  # the station writes frames a little later than events
OK_SETTLE_S = 3.0


class PictureFetcher(Closeable):
    """Asks each station for its awaited frames until it is closed."""

    def __init__(
        self, engine: Engine, store: PictureStore, clients: Mapping[str, RequestClient]
    ) -> None:
        self._engine, self._store, self._clients = engine, store, clients
        self._asked: dict[tuple[int, int], float] = {}
        self._failed: set[str] = set()
        self._died: BaseException | None = None
        self._stop = StopEvent()
        self._thread = Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.wait(ROUND_S):
                for endpoint, client in self._clients.items():
                    self._try(endpoint, client)
        except BaseException as error:  # noqa: BLE001 - raised again by `raise_if_died`
            self._died = error

    def _try(self, endpoint: str, client: RequestClient) -> None:
        """One round with a station; a failure is logged once until it is over."""
        try:
            self._fetch_all(endpoint, client)
            self._failed.discard(endpoint)
        except (NoAnswer, ArchiveError) as error:
            if endpoint not in self._failed:
                log.warning("frames of %s have to wait: %s", endpoint, error)
            self._failed.add(endpoint)

    def raise_if_died(self) -> None:
        """Raise what ended the thread."""
        if self._died:
            raise self._died

    def failing(self) -> int:
        """For how many stations frames cannot be fetched or stored."""
        return len(self._failed)

    def _fetch_all(self, endpoint: str, client: RequestClient) -> None:
        after = (0, 0)
        while not self._stop.is_set() and (rows := self._awaited(endpoint, after)):
            for stream_id, of_stream in groupby(rows, lambda row: row.stream_id):
                self._fetch(stream_id, list(of_stream), client)
            after = (rows[-1].stream, rows[-1].seq)

    def _awaited(self, endpoint: str, after: tuple[int, int]) -> Sequence[AwaitedRow]:
        """The next awaited inspections of all streams of a station."""
        i = inspection.c
        query = (
            select(i.stream, i.seq, i.inspection_id, i.verdict, stream.c.stream_id)
            .join(stream, stream.c.id == i.stream)
            .where(text(AWAITED), stream.c.endpoint == endpoint)
            .where(tuple_(i.stream, i.seq) > after)
            .order_by(i.stream, i.seq)
            .limit(PAGE)
        )
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    def _fetch(self, stream_id: str, rows: Sequence[AwaitedRow], client: RequestClient) -> None:
        """Ask for one page of frames, store them, then name them in their rows."""
        found: dict[int, bytes] = {}
        wanted = [row.inspection_id for row in rows]
        while wanted and not self._stop.is_set():
            more = client.frames(stream_id, wanted)
            found |= {n: data for n, data in more.items() if data.startswith(PNG)}
            left = [number for number in wanted if number not in more]
            if len(left) == len(wanted):
                break
            wanted = left
        kept = keep_objects(self._engine, self._store, list(found.values()))
        digests = dict(zip(found, kept, strict=True))
        changes = [
            {"s": row.stream, "n": row.seq, "picture": digests.get(row.inspection_id), "to": state}
            for row in rows
            if (state := self._state(row, row.inspection_id in digests)) is not None
        ]
        if changes:
            key = (inspection.c.stream == bindparam("s")) & (inspection.c.seq == bindparam("n"))
            key &= inspection.c.picture_state == PictureState.AWAITED
            change: dict[str, Any] = {
                "picture": bindparam("picture"),
                "picture_state": bindparam("to"),
            }
            with writing(self._engine) as connection:
                connection.execute(update(inspection).where(key).values(change), changes)

    def _state(self, row: AwaitedRow, found: bool) -> PictureState | None:
        """What is now known of a frame; None while it may still come."""
        key, now = (row.stream, row.seq), time.monotonic()
        ok = row.verdict == 0
        asked = self._asked.setdefault(key, now)
        if not found and now - asked < (OK_SETTLE_S if ok else SETTLE_S):
            return None
        del self._asked[key]
        if found:
            return PictureState.KEPT
        return PictureState.NONE if ok else PictureState.MISSING

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
