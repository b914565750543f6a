"""What others may ask of a running line, and tell it: health, counters, pause, change of product.

The answering thread and the loop share one `Controls`: single values, each written by one of them.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import Trigger
from edge.events.clock import MonotonicTime
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
)
from edge.events.event import Code, Inspection
from edge.events.server import Peer, RequestHandler, RequestServer, require_role
from edge.events.sockets import Sockets
from edge.product.product import Product
from edge.station.changeover import Changeover, ChangeoverError, Running
from edge.vision.frame import Frame, Size

HUNG_S = 2.0


class Controls:
    """The mailbox between the loop and the thread that answers.

    A line without a `changeover` judges the same product until its end; one without `triggers` has
    a camera that is not triggered by the program.
    """

    def __init__(self, product: Product, changeover: Changeover | None = None) -> None:
        self.product, self.version = product.name, product.version
        self.changeover = changeover
        self.triggers: SoftwareTriggers | None = None
        self.paused = False  # written by the answering thread, all else by the loop
        self.started = self.turned = time.monotonic()
        self.verdicts: Counter[str] = Counter()
        self.passed_over = self.pictures_dropped = 0
        self.head = self.unlogged = 0
        self.drift = self.outage = ""
        self.frame: Size | None = None  # of the camera's last picture
        self.camera: Mapping[str, int] = {}  # counted by the capture thread

    def count(self, told: Inspection) -> None:
        """One more verdict."""
        self.verdicts[told.verdict] += 1
        self.passed_over += told.passed_over

    def see(self, frame: Frame) -> None:
        """What the camera gives now."""
        if frame.image.size and frame.code is Code.NONE:
            rows, columns = frame.image.shape[:2]
            self.frame = columns, rows

    def take(self) -> Running | None:
        """The product and the engine to judge with from now on, where they have changed."""
        taken = self.changeover.take() if self.changeover else None
        if taken is not None:
            self.product, self.version = taken.product.name, taken.product.version
            self.drift = ""
        return taken


_Question: TypeAdapter[Request | SwitchRequest | TriggerRequest] = TypeAdapter(
    Annotated[Request | SwitchRequest | TriggerRequest, Field(discriminator="request")]
)


def control(sockets: Sockets, endpoint: str, controls: Controls) -> RequestServer:
    """Answer for the line. Raises PublishError for an address that cannot be used."""
    return RequestServer(sockets, endpoint, "--control", lambda: _answers(controls))


@contextmanager
def _answers(controls: Controls) -> Iterator[RequestHandler]:
    yield lambda request, peer: [answer(request, peer, controls).model_dump_json().encode()]


def answer(request: bytes, peer: Peer, controls: Controls) -> BaseModel:
    """Any listed key may ask; an operator may pause; a bridge may trigger and change the product.

    Raises what a Router tells.
    """
    question = _Question.validate_json(request)
    if isinstance(question, SwitchRequest):
        require_role(peer, "operator", "bridge")
        return _switch(question, controls)
    if isinstance(question, TriggerRequest):
        require_role(peer, "operator", "bridge")
        return _trigger(question, controls)
    asked = question.request
    if asked in ("pause", "resume"):
        require_role(peer, "operator")
        controls.paused = asked == "pause"
    if asked == "clock":
        return ClockReply(now=MonotonicTime.now())
    if asked == "product":
        return _product(controls)
    if asked == "counters":
        return CountersReply(
            verdicts=dict(controls.verdicts),
            passed_over=controls.passed_over,
            pictures_dropped=controls.pictures_dropped,
            camera=dict(controls.camera),
        )
    return _health(controls)


def _switch(asked: SwitchRequest, controls: Controls) -> ProductReply:
    """Begin a change; what becomes of it stands in each later answer on the product."""
    if controls.changeover is None:
        raise ChangeoverError("this line cannot change its product: start it anew for another one")
    controls.changeover.begin(asked.product, asked.version)
    return _product(controls)


def _trigger(asked: TriggerRequest, controls: Controls) -> TriggerReply:
    if controls.triggers is None:
        raise TriggerRefused(
            "this line's camera is not triggered by the program: run it with --mode triggered and "
            "a source such as genicam://ID?trigger=software"
        )
    trigger = Trigger(asked.trigger_id, asked.encoder, asked.part_id)
    if asked.not_after is not None and asked.not_after.has_passed():
        controls.triggers.too_late(trigger)
        raise TriggerRefused(
            f"trigger {asked.trigger_id} came too late, its part has passed: the line or its "
            "network stood still"
        )
    controls.triggers.ask(trigger)
    return TriggerReply(trigger_id=asked.trigger_id)


def _product(controls: Controls) -> ProductReply:
    change = controls.changeover.change if controls.changeover else ChangeStatus()
    return ProductReply(product=controls.product, version=controls.version, change=change)


def _health(controls: Controls) -> Health:
    now = time.monotonic()
    silent = now - controls.turned
    state: Literal["running", "paused", "fault", "hung"] = "running"
    if silent > HUNG_S:
        state = "hung"
    elif controls.unlogged or controls.outage:
        state = "fault"
    elif controls.paused:
        state = "paused"
    return Health(
        state=state,
        uptime_s=round(now - controls.started, 1),
        turned_s_ago=round(silent, 3),
        head=controls.head,
        unlogged=controls.unlogged,
        outage=controls.outage,
        drift=controls.drift,
    )
