"""Writes events: numbered, stamped, committed to the log, and only then published.

While the log cannot be written nothing is published either: parts have no verdict, heartbeats carry
the code UNLOGGED, and the events follow in order as soon as the log can be written again.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Literal, NamedTuple, Protocol

from edge.events.clock import boot_id
from edge.events.codes import Code
from edge.events.encoding import encode
from edge.events.event import UINT32_MAX, AnyHeader, CodeName, Fault, Heartbeat, Inspection
from edge.events.journal import Journal, JournalError
from edge.events.retention import Retention
from edge.events.stamps import UNSTAMPED, Stamp, without_verdict
from edge.events.unlogged_queue import UnloggedQueue

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
TRIM_S = 0.1


class EventSink(Protocol):
    """Where committed events are sent: `edge.events.publisher.Publisher`."""

    def send(self, parts: list[bytes]) -> None: ...


class Standing(NamedTuple):
    """What a heartbeat says; with a code other than NONE its state is `fault`."""

    state: Literal["running", "paused"]
    product: str
    version: str
    code: Code = Code.NONE
    message: str = ""


class LoggedWriter:
    """The base of what writes a log: numbers go on after the last in it.

    It belongs to the thread of the journal.
    """

    def __init__(
        self, station: str, journal: Journal, sink: EventSink, retention: Retention | None = None
    ) -> None:
        self._station, self._journal, self._sink = station, journal, sink
        self._retention = retention
        self._boot_id = boot_id()
        self._unlogged = UnloggedQueue()
        self._log_error = ""
        self._next_heartbeat = self._next_trim = 0.0

    @property
    def unlogged(self) -> int:
        """Number of events that wait until the log can be written."""
        return len(self._unlogged)

    def fault(self, code: Code, message: str) -> None:
        """Write a fault: something that a person has to act on."""
        self._write([Fault(**UNSTAMPED, code=CodeName.of(code), message=message)])

    def _trim_when_due(self, now: float) -> None:
        if now < self._next_trim:
            return
        self._next_trim = now + TRIM_S
        if self._retention is None or self._unlogged.in_order:
            return
        try:
            for name, why in self._retention.cursors_to_drop():
                text = f"the cursor of {name} is dropped ({why}): it may lose events"
                self.fault(Code.CURSOR_DROPPED, text)
                self._retention.drop(name)
            self._retention.trim()
        except JournalError as error:
            log.warning("%s", error)  # the next event reports a log that cannot be written

    def _beat(self, standing: Standing) -> None:
        """Send a heartbeat, after what waits for the log."""
        self._next_heartbeat = time.monotonic() + HEARTBEAT_S
        code, message = standing.code, standing.message
        try:
            self._unlogged.catch_up(self._commit)
        except JournalError as error:
            self._log_error = str(error)
        if self._unlogged:
            code, message = Code.UNLOGGED, self._log_error
        else:
            self._journal.reserve.allocate()
        stamp = self._stamp(self._journal.head)
        heartbeat = Heartbeat(
            **{k: v for k, v in stamp.items() if k != "seq"},
            head=self._journal.head,
            state="fault" if code is not Code.NONE else standing.state,
            product=standing.product,
            version=standing.version,
            every_ms=round(HEARTBEAT_S * 1000),
            code=CodeName.of(code),
            message=message,
        )
        self._sink.send(encode(heartbeat))

    def _write(self, headers: list[AnyHeader], masks_png: Sequence[bytes] = ()) -> list[AnyHeader]:
        """Commit in one transaction, then publish: whatever was published can be replayed.

        Returns the headers as they were written, or as they will be once the log can be written.
        """
        if not self._unlogged.in_order:
            try:
                return self._commit(headers, masks_png)
            except JournalError as error:
                if self._journal.reserve.free():
                    text = f"{error}; the reserve of disk space for this is now in use"
                    self.fault(Code.UNLOGGED, text)
                    return self._write(headers, masks_png)
                self._log_error = str(error)
                self._next_heartbeat = 0.0  # report it at once
        waiting = [without_verdict(header) for header in headers]
        self._unlogged.add(waiting)
        return waiting

    def _commit(self, headers: list[AnyHeader], masks_png: Sequence[bytes] = ()) -> list[AnyHeader]:
        numbered = self._numbered(headers)
        messages = list(map(encode, numbered, masks_png or repeat(b"")))
        self._journal.append(numbered, messages)
        for message in messages:
            self._sink.send(message)
        return numbered

    def _numbered(self, headers: list[AnyHeader]) -> list[AnyHeader]:
        inspection_id = self._journal.inspection_id
        numbered: list[AnyHeader] = []
        for seq, header in enumerate(headers, start=self._journal.head + 1):
            numbers: dict[str, object] = {**self._stamp(seq)}
            if isinstance(header, Inspection):
                inspection_id = numbers["inspection_id"] = inspection_id % UINT32_MAX + 1
            numbered.append(header.model_copy(update=numbers))
        return numbered

    def _stamp(self, seq: int) -> Stamp:
        return Stamp(
            stream_id=self._journal.stream_id,
            seq=seq,
            station=self._station,
            boot_id=self._boot_id,
            published_ns=time.monotonic_ns(),
            published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
