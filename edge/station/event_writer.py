"""Writes a station's events: numbered, stamped, committed to the log, and only then published.

While the log cannot be written nothing is published either: parts have no verdict, heartbeats carry
the code UNLOGGED, and the events follow in order as soon as the log can be written again.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol

from edge.camera import CameraNotice
from edge.camera.capture import CapturedFrame
from edge.events.clock import boot_id
from edge.events.encoding import encode
from edge.events.event import (
    UINT32_MAX,
    AnyHeader,
    Code,
    CodeName,
    Fault,
    Heartbeat,
    Inspection,
    RecordedChange,
    Status,
)
from edge.events.journal import Journal, JournalError
from edge.events.retention import Retention
from edge.product.product import Product
from edge.station.control import Controls
from edge.station.drift_watch import Cause
from edge.station.event_headers import (
    MAX_LOST,
    UNSTAMPED,
    Stamp,
    judged_part,
    lost_part,
    lost_triggers,
    without_verdict,
)
from edge.station.inspector import JudgedFrame
from edge.station.unlogged_queue import UnloggedQueue

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
TRIM_S = 0.1
BATCH = 100

State = Literal["running", "paused", "stopped"]


class EventSink(Protocol):
    """Where committed events are sent: `edge.events.publisher.Publisher`."""

    def send(self, parts: list[bytes]) -> None: ...


class EventWriter:
    """Writes the events of one product after another; numbers go on after the last in the log."""

    def __init__(
        self,
        station: str,
        product: Product,
        journal: Journal,
        sink: EventSink,
        retention: Retention | None = None,
    ) -> None:
        self.product = product
        self._station, self._journal, self._sink = station, journal, sink
        self._retention = retention
        self._boot_id = boot_id()
        self._trigger_id, self._began = journal.trigger_id, False
        self._unlogged = UnloggedQueue()
        self._log_error, self._paused = "", False
        self._outage: CameraNotice | None = None
        self._next_heartbeat = self._next_trim = 0.0

    @property
    def unlogged(self) -> int:
        """Number of events that wait until the log can be written."""
        return len(self._unlogged)

    def change_product(self, product: Product, request: RecordedChange | None = None) -> None:
        """Events are of this product from now on; the status says so, and who requested it."""
        old, new = (f"{p.name} {p.version}" for p in (self.product, product))
        self.product = product
        changes = [request.model_copy(update={"old": old, "new": new})] if request else []
        self.status("running", changes)

    def inspection(
        self,
        captured: CapturedFrame,
        judged: JudgedFrame,
        stages_ms: dict[str, float],
        mask_png: bytes,
    ) -> Inspection:
        """Write the event of one frame, after those of the triggers before it that had no frame.

        Returns its header, without a verdict where it could not be committed.
        """
        trigger_id = captured.frame.trigger_id
        self._write_lost(trigger_id)
        self._trigger_id = self._trigger_id if trigger_id is None else trigger_id
        self._began = True
        if captured.frame.code is Code.NONE:
            self._outage = None  # a recording may lack the end of an outage
        header = self._write([judged_part(captured, judged, self.product, stages_ms)], mask_png)[0]
        assert isinstance(header, Inspection)
        return header

    def _write_lost(self, trigger_id: int | None) -> None:
        """An event for each trigger between the last one and this; for too many, one fault."""
        lost = lost_triggers(self._trigger_id, trigger_id)
        code = Code.TRIGGER_LOST if self._began else Code.OUTAGE
        if len(lost) > MAX_LOST:
            text = f"no verdict for triggers {lost[0]} to {lost[-1]}: take those parts out"
            self.fault(code, text)
        else:
            for first in range(0, len(lost), BATCH):
                batch = lost[first : first + BATCH]
                self._write([lost_part(i, code, self.product) for i in batch])
                if time.monotonic() >= self._next_heartbeat:
                    self._heartbeat()
        last = self._trigger_id
        if trigger_id is not None and last is not None and trigger_id <= last:
            log.warning("trigger %d after %d: the trigger counter has restarted", trigger_id, last)

    def fault(self, code: Code, message: str) -> None:
        """Write a fault: something that a person has to act on."""
        self._write([Fault(**UNSTAMPED, code=CodeName.of(code), message=message)])

    def camera(self, notice: CameraNotice) -> None:
        """Write an outage of the camera, a new reason for it, or its end (CAMERA_BACK)."""
        self.fault(notice.code, str(notice))
        back = notice.code is Code.CAMERA_BACK
        log.log(logging.INFO if back else logging.WARNING, "%s", notice)
        self._outage = None if back else notice
        self._next_heartbeat = 0.0

    def status(self, state: State, changes: Sequence[RecordedChange] = ()) -> AnyHeader:
        """Write the loop's state, and what was changed; its header, as `inspection` does."""
        name, version, made = self.product.name, self.product.version, list(changes)
        header = Status(**UNSTAMPED, state=state, product=name, version=version, changes=made)
        return self._write([header])[0]

    def pauses(self, controls: Controls) -> None:
        """Write each pause and each end of one, and who requested it."""
        while controls.pauses:
            request = controls.pauses.popleft()
            self._paused = request.action == "pause"
            self.status(self._state, [request])

    def _report(self, controls: Controls) -> None:
        """Write what was changed in the products folder; reported again until it is logged."""
        report, controls.report = controls.report, None
        if report and self.status(self._state, report.changes).stream_id:
            report.logged.set()

    @property
    def _state(self) -> Literal["running", "paused"]:
        return "paused" if self._paused else "running"

    def drift(self, cause: Cause | None) -> None:
        """Write that parts drift from the calibration, or (None) that they no longer do."""
        if cause is None:
            self.status("running")
        else:
            self.fault(cause.code, cause.text)

    def tick(self, controls: Controls) -> None:
        """Do what is due: pause, trimming, heartbeat. Call it at every turn of the loop."""
        now = time.monotonic()
        self.pauses(controls)
        if controls.report and not self._unlogged:
            self._report(controls)
        if now >= self._next_trim:
            self._next_trim = now + TRIM_S
            self._trim()
        if now >= self._next_heartbeat:
            self._heartbeat()
        controls.turned, controls.head = now, self._journal.head
        controls.unlogged = self.unlogged
        controls.outage = self._outage.code.name.lower() if self._outage else ""

    def _trim(self) -> None:
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

    def _heartbeat(self) -> None:
        self._next_heartbeat = time.monotonic() + HEARTBEAT_S
        code, message = (self._outage.code, str(self._outage)) if self._outage else (Code.NONE, "")
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
            state="fault" if code is not Code.NONE else self._state,
            product=self.product.name,
            version=self.product.version,
            every_ms=round(HEARTBEAT_S * 1000),
            code=CodeName.of(code),
            message=message,
        )
        self._sink.send(encode(heartbeat))

    def _write(self, headers: list[AnyHeader], mask_png: bytes = b"") -> list[AnyHeader]:
        """Commit, then publish: whatever was published can be replayed.

        Returns the headers as they were written, or as they will be once the log can be written.
        """
        if not self._unlogged.in_order:
            try:
                return self._commit(headers, mask_png)
            except JournalError as error:
                if self._journal.reserve.free():
                    text = f"{error}; the reserve of disk space for this is now in use"
                    self.fault(Code.UNLOGGED, text)
                    return self._write(headers, mask_png)
                self._log_error = str(error)
                self._next_heartbeat = 0.0  # report it at once
        waiting = [without_verdict(header) for header in headers]
        self._unlogged.add(waiting)
        return waiting

    def _commit(self, headers: list[AnyHeader], mask_png: bytes = b"") -> list[AnyHeader]:
        numbered = self._numbered(headers)
        messages = [encode(header, mask_png) for header in numbered]
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
