"""Writes a station's events: its parts, outages of its camera, its state, and its heartbeats."""

import logging
import time
from collections.abc import Sequence
from typing import Literal

from edge.camera import CameraNotice
from edge.camera.capture import CapturedFrame
from edge.events.codes import Code
from edge.events.event import AnyHeader, Inspection, RecordedChange, Status
from edge.events.journal import Journal
from edge.events.logged_writer import EventSink, LoggedWriter, Standing
from edge.events.retention import Retention
from edge.events.stamps import UNSTAMPED
from edge.product.product import Product
from edge.station.control import Controls
from edge.station.drift_watch import Cause
from edge.station.event_headers import MAX_LOST, judged_part, lost_part, lost_triggers
from edge.station.inspector import JudgedFrame

log = logging.getLogger(__name__)

BATCH = 100

State = Literal["running", "paused", "stopped"]


class EventWriter(LoggedWriter):
    """Writes the events of one product after another; numbers go on after the last in the log."""

    def __init__(
        self,
        station: str,
        product: Product,
        journal: Journal,
        sink: EventSink,
        retention: Retention | None = None,
    ) -> None:
        super().__init__(station, journal, sink, retention)
        self.product = product
        self._trigger_id, self._began = journal.trigger_id, False
        self._paused = False
        self._outage: CameraNotice | None = None

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
        part = judged_part(captured, judged, self.product, stages_ms)
        header = self._write([part], [mask_png])[0]
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
        self._trim_when_due(now)
        if now >= self._next_heartbeat:
            self._heartbeat()
        controls.turned, controls.head = now, self._journal.head
        controls.unlogged = self.unlogged
        controls.outage = self._outage.code.name.lower() if self._outage else ""

    def _heartbeat(self) -> None:
        code, message = (self._outage.code, str(self._outage)) if self._outage else (Code.NONE, "")
        name, version = self.product.name, self.product.version
        self._beat(Standing(self._state, name, version, code, message))
