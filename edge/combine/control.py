"""The control socket of joined views: health, product, counters. What changes a station is refused.

A pause, a trigger or another product belongs to one station, which has a control socket of its own.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from edge.base.errors import DraemError
from edge.combine.products import DIFFERENT
from edge.events.clock import MonotonicTime
from edge.events.codes import Code
from edge.events.control_messages import (
    ClockReply,
    CountersReply,
    Health,
    ProductReply,
    Request,
    SwitchRequest,
    TriggerRequest,
    health_state,
)
from edge.events.logged_writer import Standing
from edge.events.server import Peer, RequestHandler, RequestServer
from edge.events.sockets import Sockets


class NotHere(DraemError):
    """A request that only a station can carry out."""


class Controls:
    """State that the loop writes and the control thread reads."""

    def __init__(self, station: str) -> None:
        self.station = station
        self.started = self.turned = time.monotonic()
        self.standing = Standing("running", "", DIFFERENT)
        self.head = self.unlogged = 0
        self.verdicts: Counter[str] = Counter()
        self.views: dict[str, int] = {}


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
    def handle(request: bytes, _: Peer) -> list[bytes]:
        standing = controls.standing
        about = {
            "station": controls.station, "product": standing.product, "version": standing.version
        }  # fmt: skip
        reply = answer(request, controls)
        return [reply.model_copy(update=about).model_dump_json().encode()]

    yield handle


def answer(request: bytes, controls: Controls) -> BaseModel:
    """The reply to one request. Raises ValidationError or NotHere, which become error replies."""
    message = _Message.validate_json(request)
    match message.request:
        case "health":
            return _health(controls)
        case "product":
            return ProductReply()
        case "clock":
            return ClockReply(now=MonotonicTime.now())
        case "counters":
            return CountersReply(
                verdicts=dict(controls.verdicts),
                passed_over=0,
                pictures_dropped=0,
                views=dict(controls.views),
            )
        case other:
            raise NotHere(
                f"'{other}' is for a station, and these are joined views: send it to each view's "
                "own control socket (--endpoint of its station)"
            )


def _health(controls: Controls) -> Health:
    now, standing = time.monotonic(), controls.standing
    silent_s = now - controls.turned
    faulty = bool(controls.unlogged) or standing.code is not Code.NONE
    return Health(
        state=health_state(silent_s, faulty, standing.state == "paused"),
        uptime_s=round(now - controls.started, 1),
        turned_s_ago=round(silent_s, 3),
        head=controls.head,
        unlogged=controls.unlogged,
        outage=standing.message if standing.code is not Code.NONE else "",
    )
