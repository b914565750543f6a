"""Collects the events of stations into the archive: one thread a station, one that writes.

An event is acknowledged to its station when it is committed, and until then the station keeps it:
whatever is killed or fails, the rest is requested again, and what was written is left out.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, Queue
from threading import Event as StopEvent
from threading import Thread

from edge.archive.batch import Received
from edge.archive.errors import ArchiveDataError, ArchiveError
from edge.archive.restored_log import where_to_go_on
from edge.archive.rows import microseconds
from edge.archive.writer import Writer
from edge.base.closeable import Closeable
from edge.base.service import Watchdog, notify
from edge.events.cursor_file import Cursor
from edge.events.event import Event
from edge.events.keys import Credentials
from edge.events.subscriber import Acknowledging, events

log = logging.getLogger(__name__)

QUEUED, BATCH, WAIT_S = 5000, 1000, 0.2
RETRY_S, RETRY_STATION_S = 1.0, 5.0


@dataclass(frozen=True)
class StationAddress:
    """Where a station publishes, and where its log answers (by default the port above)."""

    endpoint: str
    replay: str | None = None


@dataclass
class Progress:
    """How far the archive is with a station, for its cursor and for metrics."""

    cursor: Cursor
    events: int = 0
    written_at: float = field(default_factory=time.monotonic)
    delay_s: float = 0.0  # from publication to commit, by both machines' clocks


class Collector(Closeable):
    """Runs until it is closed; `run` writes in the caller's thread."""

    def __init__(
        self,
        writer: Writer,
        stations: Sequence[StationAddress],
        credentials: Credentials | None,
        name: str,
    ) -> None:
        self._writer, self._credentials, self._name = writer, credentials, name
        self._queue: Queue[Received] = Queue(QUEUED)
        self._stop, self._watchdog = StopEvent(), Watchdog()
        self.progress = {s.endpoint: Progress(writer.cursor(s.endpoint)) for s in stations}
        self.failing = False
        self._threads = [
            Thread(target=self._collect, args=(s,), name=s.endpoint, daemon=True) for s in stations
        ]

    def run(self, between: Callable[[], object] = lambda: None) -> None:
        """Write batches until `stop`, with a call of `between` after each."""
        for thread in self._threads:
            thread.start()
        notify("READY=1")
        while not self._stop.is_set():
            self._watchdog.feed()
            if batch := self._batch():
                self._write(batch)
            between()

    def stop(self) -> None:
        """End `run` after the batch that it writes."""
        self._stop.set()

    def _collect(self, station: StationAddress) -> None:
        """Receive until `stop`; what is wrong with one station stops no other."""
        while not self._stop.is_set():
            try:
                self._receive(station)
            except Exception:
                log.exception("events of %s cannot be received: trying again", station.endpoint)
                self._stop.wait(RETRY_STATION_S)

    def _receive(self, station: StationAddress) -> None:
        progress = self.progress[station.endpoint]
        acknowledging = Acknowledging(self._name, "bridge", lambda: progress.cursor)
        for event in events(
            station.endpoint,
            begin=progress.cursor,
            replay=station.replay,
            acknowledging=acknowledging,
            credentials=self._credentials,
            stopped=self._stop.is_set,
            resume=lambda log, at: where_to_go_on(log, at, self._writer.has),
        ):
            # Without the decoded mask, which is many times larger.
            received = Received(station.endpoint, Event(event.header, None, event.mask_png))
            self._queue.put(received)

    def _batch(self) -> list[Received]:
        """What has come, at most BATCH events and after WAIT_S at most."""
        batch: list[Received] = []
        until = time.monotonic() + WAIT_S
        while len(batch) < BATCH and (left := until - time.monotonic()) > 0:
            try:
                batch.append(self._queue.get(timeout=left))
            except Empty:
                break
        return batch

    def _write(self, batch: Sequence[Received]) -> None:
        """Write a batch, again and again while the database or the store cannot be used."""
        while not self._stop.is_set():
            self._watchdog.feed()
            try:
                self._write_all(batch)
            except ArchiveError as error:
                if not self.failing:
                    log.error("nothing is lost, but nothing is archived: %s", error)
                self.failing = True
                self._stop.wait(RETRY_S)
            else:
                self._note(batch)
                return

    def _write_all(self, batch: Sequence[Received]) -> None:
        """Write a batch, in halves where an event cannot be written. Raises ArchiveError."""
        try:
            self._writer.write(batch)
        except ArchiveDataError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._write_all(batch[:middle])
                self._write_all(batch[middle:])
                return
            try:
                self._writer.refuse(batch[0], error)
            except ArchiveDataError as again:
                log.error("an event of %s is left out: %s", batch[0].endpoint, again)

    def _note(self, batch: Sequence[Received]) -> None:
        """A batch is committed: its events may be acknowledged."""
        if self.failing:
            log.warning("the archive is written again")
        self.failing = False
        now, wall = time.monotonic(), microseconds(datetime.now(UTC))
        for received in batch:
            header, progress = received.event.header, self.progress[received.endpoint]
            progress.cursor = Cursor(header.stream_id, header.seq)
            progress.events += 1
            progress.written_at = now
            with suppress(ValueError, OverflowError):
                progress.delay_s = (wall - microseconds(header.published_at)) / 1e6

    def queued(self) -> int:
        """How many events wait to be written."""
        return self._queue.qsize()

    def close(self) -> None:
        self._stop.set()
        while not self._queue.empty():
            self._queue.get_nowait()  # a thread may wait for space
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)
