"""What a station publishes now: its newest inspection, heartbeat and last rejects, in a thread."""

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event as StopEvent
from threading import Lock, Thread
from typing import Literal

from edge.base.closeable import Closeable
from edge.events.event import AnyHeader, Event, Fault, Heartbeat, Inspection
from edge.events.receiver import live
from edge.web.settings import StationAddresses
from edge.web.texts import mark

REJECTS = 20
SILENT_S = 3.0
Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True)
class StationState:
    """The state of a station: `word` for people (a text with a translation), and why."""

    station: str
    level: Level
    word: str
    message: str = ""
    product: str = ""
    version: str = ""


class StationFeed(Closeable):
    """Follows one station; everything may be read from any thread."""

    def __init__(self, addresses: StationAddresses) -> None:
        self.addresses = addresses
        self.newest: Inspection | None = None
        self.fault: Fault | None = None
        self.changes = 0
        """Grows with each message, so that a page knows when to draw."""
        self._heartbeat: Heartbeat | None = None
        self._rejects: deque[Inspection] = deque(maxlen=REJECTS)
        self._received_at = -SILENT_S
        self._lock, self._closed = Lock(), StopEvent()
        self._thread = Thread(target=self._follow, name=f"feed {addresses.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The station's name, as the settings have it."""
        return self.addresses.name

    def rejects(self) -> list[Inspection]:
        """The last inspections that were not OK, newest first."""
        with self._lock:
            return list(self._rejects)[::-1]

    def state(self) -> StationState:
        """What to say of the station now."""
        beat = self._heartbeat
        if beat is None or time.monotonic() > self._received_at + SILENT_S:
            return StationState(self.name, "bad", mark("no connection"), self.addresses.events)
        about = {"product": beat.product, "version": beat.version}
        if beat.state == "fault":
            return StationState(self.name, "bad", mark("fault"), beat.message, **about)
        if beat.state == "paused":
            return StationState(self.name, "warning", mark("paused"), **about)
        return StationState(self.name, "good", mark("running"), **about)

    def _follow(self) -> None:
        a = self.addresses
        for message in live(a.events, self._closed.is_set, a.credentials):
            if message is not None:
                with self._lock:
                    self._take(message.header if isinstance(message, Event) else message)

    def _take(self, header: AnyHeader | Heartbeat) -> None:
        self._received_at = time.monotonic()
        self.changes += 1
        if isinstance(header, Heartbeat):
            self._heartbeat = header
        elif isinstance(header, Inspection):
            self.newest = header
            if header.verdict != "OK":
                self._rejects.append(header)
        elif isinstance(header, Fault):
            self.fault = header

    def close(self) -> None:
        self._closed.set()
        self._thread.join()


def captured(header: Inspection) -> datetime:
    """When a part was captured; now, if the station's text is no time."""
    try:
        return datetime.fromisoformat(header.captured_at)
    except ValueError:
        return datetime.now(UTC)
