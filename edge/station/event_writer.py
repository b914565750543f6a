"""One stream of events: numbered, stamped, committed to the log, and only then published.

While nothing can be committed nothing is published either: the parts of that time have no verdict,
heartbeats say so, and their events follow, in order, as soon as there is room again.
"""

import logging
import time
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, Protocol

from edge.camera import CameraNotice
from edge.camera.capture import CapturedFrame
from edge.events.clock import boot_id
from edge.events.event import (
    UINT32,
    AnyHeader,
    Code,
    CodeName,
    Fault,
    Heartbeat,
    Inspection,
    Status,
    encode,
)
from edge.events.journal import Journal, JournalError
from edge.events.retention import Retention
from edge.product.product import Product
from edge.station.control import Controls
from edge.station.drift_watch import Cause
from edge.station.event_headers import (
    MOST_LOST,
    UNSTAMPED,
    Stamp,
    judged_part,
    lost_part,
    lost_triggers,
    without_verdict,
)
from edge.station.inspector import JudgedFrame

log = logging.getLogger(__name__)

BEAT_S = 0.5
TRIM_S = 0.1
MOST_UNLOGGED = 20_000
SOME = 100
CATCH_UP_S = 0.05  # of the loop's time, at each heartbeat


class EventSink(Protocol):
    """Where events leave to whoever listens: `edge.events.publisher.Publisher`."""

    def send(self, parts: list[bytes]) -> None: ...


class EventWriter:
    """Tells events: each is numbered after the last one of the log, committed, then published."""

    def __init__(
        self, station: str, journal: Journal, outlet: EventSink, retention: Retention | None = None
    ) -> None:
        self._station, self._journal, self._outlet = station, journal, outlet
        self._retention = retention
        self._boot_id = boot_id()
        self._trigger_id, self._began = journal.trigger_id, False
        self._unlogged: deque[AnyHeader] = deque()
        self._beyond: list[AnyHeader] = []
        self._more = 0
        self._trouble, self._paused = "", False
        self._outage: CameraNotice | None = None
        self._next_beat = self._next_trim = 0.0

    def inspection(
        self,
        taken: CapturedFrame,
        judged: JudgedFrame,
        product: Product,
        stages_ms: dict[str, float],
        mask_png: bytes,
    ) -> Inspection:
        """Tell the verdict on one frame, and before it of the triggers that no frame came for.

        Returns it as it was told: without its verdict where it could not be committed.
        """
        trigger_id = taken.frame.trigger_id
        self._tell_lost(trigger_id, product)
        self._trigger_id = self._trigger_id if trigger_id is None else trigger_id
        self._began = True
        if taken.frame.code is Code.NONE:
            self._outage = None  # a recording may lack the end of one
        told = self._tell([judged_part(taken, judged, product, stages_ms)], mask_png)[0]
        assert isinstance(told, Inspection)
        return told

    def _tell_lost(self, trigger_id: int | None, product: Product) -> None:
        """Every trigger between the last one in the log and this one, and if too many, a fault."""
        lost = lost_triggers(self._trigger_id, trigger_id)
        code = Code.TRIGGER_LOST if self._began else Code.OUTAGE
        if len(lost) > MOST_LOST:
            text = f"no verdict for triggers {lost[0]} to {lost[-1]}: take those parts out"
            self.fault(code, text)
        else:
            for first in range(0, len(lost), SOME):
                self._tell([lost_part(i, code, product) for i in lost[first : first + SOME]])
                if time.monotonic() >= self._next_beat:
                    self._beat(product)
        if (
            trigger_id is not None
            and self._trigger_id is not None
            and trigger_id <= self._trigger_id
        ):
            log.warning("trigger %d after %d: its counter began anew", trigger_id, self._trigger_id)

    def fault(self, code: Code, message: str) -> None:
        """Something that needs somebody to act."""
        self._tell([Fault(**UNSTAMPED, code=CodeName.of(code), message=message)])

    def camera(self, trouble: CameraNotice) -> None:
        """An outage of the camera begins or has another reason; CAMERA_BACK or a frame ends it."""
        self.fault(trouble.code, str(trouble))
        back = trouble.code is Code.CAMERA_BACK
        log.log(logging.INFO if back else logging.WARNING, "%s", trouble)
        self._outage = None if back else trouble
        self._next_beat = 0.0

    def status(self, state: Literal["running", "paused", "stopped"], product: Product) -> None:
        """The line begins, waits, or has ended as it should."""
        self._tell(
            [Status(**UNSTAMPED, state=state, product=product.name, version=product.version)]
        )

    def drift(self, cause: Cause | None, product: Product) -> None:
        """Parts in a row are no longer what they were at the calibration, or are so again."""
        if cause is None:
            self.status("running", product)
        else:
            self.fault(cause.code, cause.text)

    @property
    def unlogged(self) -> int:
        """How many events still wait for room in the log."""
        return len(self._unlogged) + len(self._beyond) + self._more

    def tick(self, product: Product, controls: Controls) -> None:
        """What is due from time to time: to be called at every turn of the loop."""
        now = time.monotonic()
        if controls.paused != self._paused:
            self._paused = controls.paused
            self.status("paused" if self._paused else "running", product)
        if now >= self._next_trim:
            self._next_trim = now + TRIM_S
            self._trim()
        if now >= self._next_beat:
            self._beat(product)
        controls.turned, controls.head = now, self._journal.head
        controls.unlogged = self.unlogged
        controls.outage = self._outage.code.name.lower() if self._outage else ""

    def _trim(self) -> None:
        if self._retention is None or self._unlogged:
            return
        try:
            for name, why in self._retention.gone():
                text = f"the cursor of {name} is dropped ({why}): it may lose events"
                self.fault(Code.CURSOR_DROPPED, text)
                self._retention.drop(name)
            self._retention.trim()
        except JournalError as error:
            log.warning("%s", error)  # a log that cannot be written tells itself at the next event

    def _beat(self, product: Product) -> None:
        self._next_beat = time.monotonic() + BEAT_S
        code, message = (self._outage.code, str(self._outage)) if self._outage else (Code.NONE, "")
        if self._catch_up():
            self._journal.keep_reserve()
        else:
            code, message = Code.UNLOGGED, self._trouble
        state: Literal["running", "paused"] = "paused" if self._paused else "running"
        stamp = self._stamp(self._journal.head)
        heartbeat = Heartbeat(
            **{k: v for k, v in stamp.items() if k != "seq"},
            head=self._journal.head,
            state="fault" if code is not Code.NONE else state,
            product=product.name,
            version=product.version,
            every_ms=round(BEAT_S * 1000),
            code=CodeName.of(code),
            message=message,
        )
        self._outlet.send(encode(heartbeat))

    def _tell(self, drafts: list[AnyHeader], mask_png: bytes = b"") -> list[AnyHeader]:
        """Commit first, publish second: what was published can be asked for again.

        Returns what was told, or what will be as soon as it can be committed.
        """
        if self._unlogged:  # in order: these come after those that wait
            return self._keep([without_verdict(draft) for draft in drafts])
        try:
            return self._commit(drafts, mask_png)
        except JournalError as error:
            if self._journal.free_reserve():
                self._tell([self._full(error)])
                return self._tell(drafts, mask_png)
            self._trouble = str(error)
            self._next_beat = 0.0  # tell it at once
        return self._keep([without_verdict(draft) for draft in drafts])

    def _full(self, error: JournalError) -> Fault:
        text = f"{error}; the room set aside for this is now in use"
        return Fault(**UNSTAMPED, code=CodeName.of(Code.UNLOGGED), message=text)

    def _keep(self, drafts: list[AnyHeader]) -> list[AnyHeader]:
        """Until there is room again; beyond a bound only their number is kept."""
        room = 0 if self._beyond else max(0, MOST_UNLOGGED - len(self._unlogged))
        self._unlogged.extend(drafts[:room])
        self._beyond += drafts[room:]
        if len(self._beyond) > 2:  # their number, and the first and the last of them
            self._more += len(self._beyond) - 2
            self._beyond = [self._beyond[0], self._beyond[-1]]
        return drafts

    def _catch_up(self) -> bool:
        """Tell what could not be told, some at a time; False while some of it still waits."""
        end = time.monotonic() + CATCH_UP_S
        try:
            while self._unlogged and time.monotonic() < end:
                some = list(islice(self._unlogged, SOME))
                self._commit(some)
                for _ in some:
                    self._unlogged.popleft()
            if self._beyond and not self._unlogged:
                self._commit([self._too_many()])
                self._beyond, self._more = [], 0
        except JournalError as error:
            self._trouble = str(error)
        return not self.unlogged

    def _too_many(self) -> Fault:
        ids = [str(getattr(draft, "trigger_id", None)) for draft in self._beyond]
        text = (
            f"{len(self._beyond) + self._more} more events of the same time could not be kept "
            f"(triggers {' to '.join(ids)}): take those parts out"
        )
        return Fault(**UNSTAMPED, code=CodeName.of(Code.UNLOGGED), message=text)

    def _commit(self, drafts: list[AnyHeader], mask_png: bytes = b"") -> list[AnyHeader]:
        headers = self._numbered(drafts)
        messages = [encode(header, mask_png) for header in headers]
        self._journal.append(headers, messages)
        for message in messages:
            self._outlet.send(message)
        return headers

    def _numbered(self, drafts: list[AnyHeader]) -> list[AnyHeader]:
        inspection_id = self._journal.inspection_id
        headers: list[AnyHeader] = []
        for seq, draft in enumerate(drafts, start=self._journal.head + 1):
            numbers: dict[str, object] = {**self._stamp(seq)}
            if isinstance(draft, Inspection):
                inspection_id = numbers["inspection_id"] = inspection_id % UINT32 + 1
            headers.append(draft.model_copy(update=numbers))
        return headers

    def _stamp(self, seq: int) -> Stamp:
        return Stamp(
            stream_id=self._journal.stream_id,
            seq=seq,
            station=self._station,
            boot_id=self._boot_id,
            published_ns=time.monotonic_ns(),
            published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
