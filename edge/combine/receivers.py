"""One thread for each view: its events and notices, in order, into one queue."""

import logging
import time
from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from threading import Event as StopEvent
from threading import Thread
from typing import NamedTuple

from edge.base.closeable import Closeable
from edge.combine.settings import ViewAddress
from edge.events.cursor_file import Cursor
from edge.events.event import Event
from edge.events.keys import Credentials
from edge.events.notices import Notice, log_once
from edge.events.subscriber import Acknowledging, events

log = logging.getLogger(__name__)

QUEUED = 5_000
TURN = 200  # so many at once: a flood must not hold up heartbeats

Saved = Mapping[str, Cursor]


class Received(NamedTuple):
    """What came from a view, and when."""

    view: str
    at: float
    what: Event | Notice | BaseException


class Receivers(Closeable):
    """Receives until it is closed; `saved` are the cursors, which `name` acknowledges."""

    def __init__(
        self,
        views: Mapping[str, ViewAddress],
        saved: Saved,
        name: str,
        credentials: Mapping[str, Credentials | None],
    ) -> None:
        self._saved, self._name, self._credentials = saved, name, credentials
        self._queue: Queue[Received] = Queue(QUEUED)
        self._stop = StopEvent()
        self._threads = [
            Thread(target=self._receive, args=(view, at), name=view, daemon=True)
            for view, at in views.items()
        ]
        for thread in self._threads:
            thread.start()

    def take(self, until: float) -> Sequence[Received]:
        """What has come; waits for the first until a time of the monotonic clock."""
        taken: list[Received] = []
        try:
            taken.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            while len(taken) < TURN:
                taken.append(self._queue.get_nowait())
        except Empty:
            pass
        return taken

    def _receive(self, view: str, address: ViewAddress) -> None:
        """What ends a subscription ends the process, which its supervisor starts again."""
        logged = log_once()

        def notify(notice: Notice) -> None:
            self._put(Received(view, time.monotonic(), notice))
            logged(Notice(notice.kind, f"view {view}: {notice.text}", notice.heartbeat))

        try:
            begin = self._saved.get(view)
            for event in events(
                address.endpoint,
                begin,
                replay=address.replay,
                acknowledging=Acknowledging(
                    self._name, "bridge", lambda: self._saved.get(view, Cursor("", 0))
                ),
                credentials=self._credentials[view],
                notify=notify,
                stopped=self._stop.is_set,
            ):
                # Without the decoded mask, which is many times larger.
                plain = Event(event.header, None, event.mask_png)
                self._put(Received(view, time.monotonic(), plain))
        except BaseException as error:  # noqa: BLE001 - raised again by the loop
            self._put(Received(view, time.monotonic(), error))

    def _put(self, received: Received) -> None:
        if not self._stop.is_set():
            self._queue.put(received)

    def close(self) -> None:
        self._stop.set()
        while not self._queue.empty():
            self._queue.get_nowait()  # a thread may wait for space
        for thread in self._threads:
            thread.join(5)
