"""Product changes from the PLC: it writes a number, the line's control socket gets a name.

A protocol begins a change and looks at its outcome; a thread sends the request and waits until the
line's events name the product. A product without a number cannot be chosen: the table is also the
list of what a PLC may choose.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.base.person import Person
from edge.bridge.line_requests import (
    Failed,
    Failure,
    LineClient,
    LineRequest,
    LineRequests,
    parse_reply,
)
from edge.events.client import NoAnswer
from edge.events.control_messages import ProductReply, Request, SwitchRequest, ask_as

log = logging.getLogger(__name__)

POLL_S = 0.1
LINE_TIMEOUT_S = 10.0
"""A change fails if the line does not answer, or its events name another product, for so long."""
MAX_QUOTED = 64  # characters of an unknown name in a message


@dataclass(eq=False)
class ChangeRequest(LineRequest):
    """A request for a product. One that is not `fresh` may be from before: it starts no change."""

    product: str
    fresh: bool = True


class ProductChanges(LineRequests[ChangeRequest]):
    """Changes the product, one change at a time. `begin` may be called by any thread.

    `running` gives the product that the line's events name; it is empty while the line is silent.
    `by` is this bridge, for the audit trail.
    """

    if_no_answer = "is the line running, and may this key change the product?"

    def __init__(
        self,
        numbers: Mapping[int, str],
        line: LineClient,
        running: Callable[[], str],
        timeout_s: float = LINE_TIMEOUT_S,
        by: Person | None = None,
    ) -> None:
        self.numbers = {name: number for number, name in numbers.items()}
        self._names, self._running, self._timeout_s = numbers, running, timeout_s
        self._by = by or Person("bridge")
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._latest: ChangeRequest | None = None
        super().__init__("changes", line)

    @property
    def under_way(self) -> bool:
        return self._latest is not None and self._latest.under_way

    def begin(self, wanted: int | str, *, fresh: bool = True) -> ChangeRequest:
        """Request a product by its number or its name; returns at once.

        A second request for the product that is being loaded is the same change.
        """
        name = self._names.get(wanted) if isinstance(wanted, int) else wanted
        if name not in self.numbers:
            text = f"{str(wanted)[:MAX_QUOTED]!r} has no number here: add --recipe NUMBER=NAME"
            return self._fail(ChangeRequest(""), Failure.UNKNOWN, text)
        with self._lock:
            if self._latest is None or not self._latest.under_way:
                self._latest = ChangeRequest(name, fresh)
                self._queue.put(self._latest)
            elif self._latest.product != name:
                text = f"{self._latest.product} is still being loaded: repeat the command after it"
                return self._fail(ChangeRequest(name), Failure.BUSY, text)
            return self._latest

    def _carry_out(self, request: ChangeRequest) -> str:
        """Until the line's events name the product."""
        reply = self._start(request)
        while reply.change.state == "loading" and reply.change.product == request.product:
            self._pause("the bridge ends: the line's log says whether the change succeeds")
            reply = self._ask_product()
        if reply.product != request.product:
            why = reply.change.message or "it was started again, or changed to another product"
            raise Failed(Failure.REFUSED, f"the line still judges {reply.product}: {why}")
        end = time.monotonic() + self._timeout_s
        while self._running() != request.product:
            if time.monotonic() > end:
                text = "the line has changed, but its events name another product: look at"
                raise Failed(Failure.NO_ANSWER, f"{text} --endpoint")
            self._pause("the bridge ends before the line's events name the product")
        message = reply.change.message if reply.change.product == request.product else ""
        log.info("the line judges %s%s", request.product, f" ({message})" * bool(message))
        return message

    def _start(self, request: ChangeRequest) -> ProductReply:
        """Send the request, unless the line has done it already, or is doing it."""
        reply = parse_reply(ProductReply, self._line.ask(Request(request="product")))
        other = reply.change.product
        if reply.change.state == "loading":
            if other != request.product:
                raise Failed(Failure.BUSY, f"{other} is still being loaded")
            return reply
        if reply.product == request.product:
            return reply
        if not request.fresh:
            text = f"the command for {request.product} may be from before the bridge was started"
            raise Failed(Failure.STALE, f"{text}: write 0, then the command again")
        wanted = SwitchRequest(product=request.product)
        return parse_reply(ProductReply, ask_as(self._by, self._line, wanted))

    def _ask_product(self) -> ProductReply:
        """Repeat until the line answers, for as long as the timeout. Raises NoAnswer."""
        end = time.monotonic() + self._timeout_s
        while True:
            try:
                return parse_reply(ProductReply, self._line.ask(Request(request="product")))
            except NoAnswer:
                if time.monotonic() > end:
                    raise
                self._pause("the bridge ends while the line does not answer")

    def _pause(self, if_stopped: str) -> None:
        if self._stop.wait(POLL_S):
            raise Failed(Failure.NO_ANSWER, if_stopped)

    def _not_done(self, request: ChangeRequest) -> str:
        return "no change of product"

    def close(self) -> None:
        """What the line has begun it finishes without the bridge."""
        self._stop.set()
        super().close()
