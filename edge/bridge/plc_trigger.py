"""Triggers from the PLC: a part is under the camera now, and soon it no longer is.

So a trigger reaches the line within LATEST_S or fails, and the PLC then rejects the part. Triggers
have a thread and a connection of their own: no product change delays them.
"""

import threading
import time
from dataclasses import dataclass

from pydantic import ValidationError

from edge.base.validation import reason
from edge.bridge.line_requests import (
    Failed,
    Failure,
    LineClient,
    LineRequest,
    LineRequests,
    parse_reply,
)
from edge.bridge.stall import StallDetector
from edge.events.client import NoAnswer
from edge.events.clock import MonotonicTime
from edge.events.control_messages import ClockReply, Request, TriggerReply, TriggerRequest

LATEST_S = 0.05
ANSWER_MS = 200
"""A line that has not answered by then counts as silent; waiting longer would delay the next."""
CLOCK_S = 1.0  # the line's clock is requested again after this time: two clocks drift apart


@dataclass(eq=False)
class Attempt(LineRequest):
    """One trigger. `asked_s` is the earliest time (monotonic) at which it can have been written."""

    request: TriggerRequest | None
    asked_s: float = 0.0


class PlcTrigger(LineRequests[Attempt]):
    """Passes triggers to the line in their order. `begin` may be called by any thread."""

    def __init__(self, line: LineClient) -> None:
        self.given = 0
        """The id of the last trigger that the line has accepted; 0 for none."""
        self._last = 0
        self._lock = threading.Lock()
        self._clock: tuple[MonotonicTime, float] | None = None  # the line's, and when we had it
        self.stall = StallDetector(LATEST_S)
        """Watches the loop that calls `begin`, if that loop calls `mark_turn`."""
        super().__init__("triggers", line)

    def begin(
        self,
        trigger_id: int,
        encoder: int | None = None,
        part_id: str | None = None,
        *,
        fresh: bool = True,
        since_s: float | None = None,
    ) -> Attempt:
        """Pass on a trigger; returns at once.

        One that is not `fresh` was written before the bridge was started, and triggers nothing.
        `since_s` (monotonic) is when the PLC was last seen without it, if that is known.
        """
        asked_s = time.monotonic()
        try:
            request = TriggerRequest(trigger_id=trigger_id, encoder=encoder, part_id=part_id)
        except ValidationError as error:
            first = error.errors()[0]
            return self._fail(Attempt(None), Failure.REFUSED, f"{first['loc'][0]}: {reason(first)}")
        attempt = Attempt(request, asked_s if since_s is None else min(since_s, asked_s))
        if trigger_id == 0:
            return self._fail(attempt, Failure.REFUSED, "the trigger's id is 0, which is none")
        if not fresh:
            return self._fail(attempt, Failure.STALE, "it was there before the bridge was")
        if self.stall.stalled():
            return self._fail(attempt, Failure.TOO_LATE, "the bridge was held up")
        with self._lock:
            if trigger_id == self._last:
                return self._fail(attempt, Failure.REPEATED, "its id is that of the one before")
            self._last = trigger_id
            self._queue.put(attempt)
        return attempt

    def _carry_out(self, request: Attempt) -> str:
        assert request.request is not None
        try:
            self._send(request.request, request.asked_s + LATEST_S)
        except NoAnswer:
            self._clock = None
            raise
        self.given = request.request.trigger_id
        return ""

    def _send(self, request: TriggerRequest, until_s: float) -> None:
        _check(until_s)
        clock, heard_s = self._line_clock()
        _check(until_s)
        # At `heard_s` the line's clock was at `clock` or later, so this limit is never too late.
        limit = clock.after(until_s - heard_s)
        answer = self._line.ask(request.model_copy(update={"not_after": limit}))
        try:
            given = parse_reply(TriggerReply, answer).trigger_id
        except Failed:
            _check(until_s)
            raise
        if given != request.trigger_id:
            raise NoAnswer("the line has answered to another trigger")

    def _line_clock(self) -> tuple[MonotonicTime, float]:
        """The line's time, and when the answer with it came."""
        if self._clock is None or time.monotonic() > self._clock[1] + CLOCK_S:
            reply = parse_reply(ClockReply, self._line.ask(Request(request="clock")))
            self._clock = reply.now, time.monotonic()
        return self._clock

    def _not_done(self, request: Attempt) -> str:
        return f"no picture for trigger {request.request.trigger_id if request.request else ''}"


def _check(until_s: float) -> None:
    if time.monotonic() > until_s:
        text = f"it could not be passed to the line within {LATEST_S * 1000:.0f} ms"
        raise Failed(Failure.TOO_LATE, text)
