"""The control socket of a running line: health, counters, pause, change of product, trigger."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from edge.base.person import Person
from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import Trigger
from edge.events.clock import MonotonicTime
from edge.events.codes import Code
from edge.events.control_messages import (
    ChangeStatus,
    ClockReply,
    CountersReply,
    Health,
    ProductReply,
    Request,
    SwitchRequest,
    TriggerRefused,
    TriggerReply,
    TriggerRequest,
    health_state,
)
from edge.events.event import Inspection, RecordedChange
from edge.events.server import Peer, RequestHandler, RequestServer, require_role
from edge.events.sockets import Sockets
from edge.product.change_journal import new_change
from edge.product.product import Product
from edge.station.active_product import ActiveProduct
from edge.station.change_report import Report
from edge.station.changeover import Changeover
from edge.station.proof import ChangeoverError
from edge.vision.frame import Frame, Size


class Controls:
    """State shared by the loop and the control thread; each value is written by one of them.

    Without a `changeover` the product cannot change; without `triggers` the program does not
    trigger the camera.
    """

    def __init__(self, product: Product, changeover: Changeover | None = None) -> None:
        self.station = ""
        self.product, self.version = product.name, product.version
        self.changeover = changeover
        self.triggers: SoftwareTriggers | None = None
        self.paused = False  # written by the control thread
        self.pauses: deque[RecordedChange] = deque()  # appended by it, taken by the loop
        self.report: Report | None = None  # set by the thread that reports, taken by the loop
        self.started = self.turned = time.monotonic()
        self.verdicts: Counter[str] = Counter()
        self.passed_over = self.pictures_dropped = 0
        self.head = self.unlogged = 0
        self.drift = self.outage = ""
        self.frame: Size | None = None  # of the camera's last picture
        self.camera: Mapping[str, int] = {}  # counted by the capture thread

    def count(self, header: Inspection) -> None:
        """Count the verdict of one inspection."""
        self.verdicts[header.verdict] += 1
        self.passed_over += header.passed_over

    def pause(self, paused: bool, request: RecordedChange) -> None:
        """Pause or resume from now on; the loop writes who requested it, where that is new."""
        if paused != self.paused:
            states = ("running", "paused")
            old_new = {"old": states[self.paused], "new": states[paused]}
            self.pauses.append(request.model_copy(update=old_new))
        self.paused = paused

    def note_frame_size(self, frame: Frame) -> None:
        """Keep the size of the camera's last usable picture."""
        if frame.image.size and frame.code is Code.NONE:
            rows, columns = frame.image.shape[:2]
            self.frame = columns, rows

    def take(self) -> ActiveProduct | None:
        """The product to inspect with from now on, where it has changed."""
        active = self.changeover.take() if self.changeover else None
        if active is not None:
            self.product, self.version = active.product.name, active.product.version
            self.drift = ""
        return active


_Message: TypeAdapter[Request | SwitchRequest | TriggerRequest] = TypeAdapter(
    Annotated[Request | SwitchRequest | TriggerRequest, Field(discriminator="request")]
)


def control(sockets: Sockets, endpoint: str, controls: Controls) -> RequestServer:
    """Serve the control socket. Raises PublishError for an address that cannot be used."""
    return RequestServer(
        sockets, endpoint, "--control", lambda: _answers(controls), controls.station
    )


@contextmanager
def _answers(controls: Controls) -> Iterator[RequestHandler]:
    def handle(request: bytes, peer: Peer) -> list[bytes]:
        reply = answer(request, peer, controls)
        about = {
            "station": controls.station, "product": controls.product, "version": controls.version
        }  # fmt: skip
        return [reply.model_copy(update=about).model_dump_json().encode()]

    yield handle


def answer(request: bytes, peer: Peer, controls: Controls) -> BaseModel:
    """The reply to one request.

    Any listed key may read; `operator` may pause, trigger and switch; `bridge` may trigger and
    switch. Raises ValidationError, NotAllowed or another DraemError, which become error replies.
    """
    message = _Message.validate_json(request)
    if isinstance(message, SwitchRequest):
        require_role(peer, "operator", "bridge")
        return _switch(message, peer, controls)
    if isinstance(message, TriggerRequest):
        require_role(peer, "operator", "bridge")
        return _trigger(message, controls)
    request_name = message.request
    if request_name in ("pause", "resume"):
        require_role(peer, "operator")
        controls.pause(request_name == "pause", _recorded(message, peer, controls))
    if request_name == "clock":
        return ClockReply(now=MonotonicTime.now())
    if request_name == "product":
        return _product(controls)
    if request_name == "counters":
        return CountersReply(
            verdicts=dict(controls.verdicts),
            passed_over=controls.passed_over,
            pictures_dropped=controls.pictures_dropped,
            camera=dict(controls.camera),
        )
    return _health(controls)


def _recorded(request: Request | SwitchRequest, peer: Peer, controls: Controls) -> RecordedChange:
    """Who requests a change, for the audit trail; an older client does not say it."""
    by = Person(request.who or "", request.origin or "", request.reason or "")
    return new_change(by, request.request, f"station {controls.station}", key=peer.name)


def _switch(request: SwitchRequest, peer: Peer, controls: Controls) -> ProductReply:
    """Begin a change; later replies to `product` carry its status."""
    if controls.changeover is None:
        raise ChangeoverError(
            "this line cannot change its product: stop it and start it with the other one"
        )
    controls.changeover.begin(request.product, request.version, _recorded(request, peer, controls))
    return _product(controls)


def _trigger(request: TriggerRequest, controls: Controls) -> TriggerReply:
    if controls.triggers is None:
        raise TriggerRefused(
            "this line's camera is not triggered by the program: run it with --mode triggered and "
            "a source such as genicam://ID?trigger=software"
        )
    trigger = Trigger(request.trigger_id, request.encoder, request.part_id)
    if request.not_after is not None and request.not_after.has_passed():
        controls.triggers.reject_late(trigger)
        raise TriggerRefused(
            f"trigger {request.trigger_id} came too late, its part has passed: the line or its "
            "network stood still"
        )
    controls.triggers.submit(trigger)
    return TriggerReply(trigger_id=request.trigger_id)


def _product(controls: Controls) -> ProductReply:
    change = controls.changeover.change if controls.changeover else ChangeStatus()
    return ProductReply(product=controls.product, version=controls.version, change=change)


def _health(controls: Controls) -> Health:
    now = time.monotonic()
    silent = now - controls.turned
    faulty = bool(controls.unlogged or controls.outage)
    return Health(
        state=health_state(silent, faulty, controls.paused),
        uptime_s=round(now - controls.started, 1),
        turned_s_ago=round(silent, 3),
        head=controls.head,
        unlogged=controls.unlogged,
        outage=controls.outage,
        drift=controls.drift,
    )
