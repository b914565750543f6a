"""What a station publishes now: its newest inspection, heartbeat and last rejects, in a thread."""

import logging
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event as StopEvent
from threading import Lock, Thread
from typing import Literal, NamedTuple

from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.codes import Code
from edge.events.event import Event, Fault, Heartbeat, Inspection
from edge.events.receiver import live
from edge.web.settings import StationAddresses
from edge.web.texts import mark

log = logging.getLogger(__name__)

REJECTS = 20
RECENT = 256  # events whose picture may still come
COUNTED = 5000
SILENT_S = 2.0
Level = Literal["good", "warning", "bad"]


class Key(NamedTuple):
    """What an event and its picture have in common."""

    stream_id: str
    seq: int


@dataclass(frozen=True)
class StationState:
    """The state of a station: `word` for people (a text with a translation), and why."""

    station: str
    level: Level
    word: str
    message: str = ""
    product: str = ""
    version: str = ""


class _Counted(NamedTuple):
    seq: int
    at: datetime
    verdict: str  # empty for what is no inspection


class StationFeed(Closeable):
    """Follows one station; everything may be read from any thread."""

    def __init__(self, addresses: StationAddresses) -> None:
        self.addresses = addresses
        self.newest: Inspection | None = None
        self.received_at = -SILENT_S
        self.newest_at = 0.0
        """When the newest inspection came (monotonic)."""
        self.newest_ng: Key | None = None
        self.fault: Fault | None = None
        self.changes = 0
        """Grows with each message, so that a page knows when to draw."""
        self.heartbeat: Heartbeat | None = None
        self._refused = ""
        self._rejects: deque[Inspection] = deque(maxlen=REJECTS)
        self._recent: OrderedDict[Key, Event] = OrderedDict()
        self._counted: deque[_Counted] = deque(maxlen=COUNTED)
        self._head = Key("", 0)
        self._lock, self._closed = Lock(), StopEvent()
        self._thread = Thread(target=self._follow, name=f"feed {addresses.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The station's name, as the settings have it."""
        return self.addresses.name

    @property
    def head(self) -> Key:
        """The newest event that is known to exist."""
        return self._head

    def rejects(self) -> list[Inspection]:
        """The last inspections that were not OK, newest first; without those of a paused line."""
        with self._lock:
            return list(self._rejects)[::-1]

    def event(self, key: Key) -> Event | None:
        """A recent inspection, with its mask as PNG."""
        with self._lock:
            return self._recent.get(key)

    def counted_since(self, after: Key, begin: datetime) -> Counter[str] | None:
        """Verdicts of the inspections after an event that were captured since `begin`.

        None where this program did not receive all of them.
        """
        with self._lock:
            if after.stream_id != self._head.stream_id:
                return None
            if after.seq >= self._head.seq:
                return Counter()
            known = self._counted[0].seq if self._counted else self._head.seq + 1
            if known > after.seq + 1 or self._counted[-1].seq < self._head.seq:
                return None
            found: Counter[str] = Counter()
            for one in reversed(self._counted):
                if one.seq <= after.seq:
                    break
                if one.verdict and one.at >= begin:
                    found[one.verdict] += 1
            return found

    def state(self) -> StationState:
        """What to say of the station now."""
        beat = self.heartbeat
        if self._refused:
            return StationState(self.name, "bad", mark("wrong address"), self._refused)
        if beat is None or time.monotonic() > self.received_at + SILENT_S:
            return StationState(self.name, "bad", mark("no connection"), self.addresses.events)
        about = {"product": beat.product, "version": beat.version}
        if beat.state == "fault":
            return StationState(self.name, "bad", mark("fault"), beat.message, **about)
        if beat.state == "paused":
            return StationState(self.name, "warning", mark("paused"), **about)
        return StationState(self.name, "good", mark("running"), **about)

    def _follow(self) -> None:
        a = self.addresses
        try:
            for message in live(a.events, self._closed.is_set, a.credentials):
                if message is not None:
                    with self._lock:
                        self._take(message)
        except PublishError as error:
            self._refused = str(error)
            log.error("%s cannot be followed: %s", self.name, error)

    def _take(self, message: Event | Heartbeat) -> None:
        header = message.header if isinstance(message, Event) else message
        self._refused = self._other(header.station)
        if self._refused:
            return
        self.received_at = time.monotonic()
        self.changes += 1
        if isinstance(message, Heartbeat):
            self.heartbeat, self._head = message, Key(message.stream_id, message.head)
        else:
            self._take_event(message)

    def _take_event(self, event: Event) -> None:
        header, before = event.header, self._head
        key = self._head = Key(header.stream_id, header.seq)
        if not self._counted or key != (before.stream_id, self._counted[-1].seq + 1):
            self._counted.clear()  # some were not received
        if isinstance(header, Inspection):
            self._counted.append(_Counted(header.seq, captured(header), header.verdict))
            self._take_inspection(key, header, event.mask_png)
        else:
            self._counted.append(_Counted(header.seq, datetime.now(UTC), ""))
            self.fault = header if isinstance(header, Fault) else self.fault

    def _take_inspection(self, key: Key, header: Inspection, mask_png: bytes) -> None:
        self.newest, self.newest_at = header, self.received_at
        self._recent[key] = Event(header, None, mask_png)
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        self.newest_ng = key if header.verdict == "NG" else self.newest_ng
        if header.verdict != "OK" and header.code.number != Code.PAUSED:
            self._rejects.append(header)

    def _other(self, station: str) -> str:
        """What is wrong where another station answers at this address."""
        if station == self.name:
            return ""
        return (
            f"the station at {self.addresses.events} is {station}, not {self.name}: correct the "
            "address or the name in its settings"
        )

    def close(self) -> None:
        self._closed.set()
        self._thread.join()


def captured(header: Inspection) -> datetime:
    """When a part was captured; now, if the station's text is no time."""
    try:
        at = datetime.fromisoformat(header.captured_at)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)
