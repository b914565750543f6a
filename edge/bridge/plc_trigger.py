"""Triggers at the PLC's word: a part is under the camera now, and in a moment it no longer is.

So a trigger is given at once or not at all. What waited longer than LATEST_S here, or in a socket
of a line that stood still, is told as failed, and the PLC rejects its part whatever comes.
A thread and a connection of its own: no change of product delays a trigger, nor the reverse.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from queue import SimpleQueue

from pydantic import ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.bridge.product_change import (
    CLOSE_S,
    ChangeOutcome,
    Failed,
    Failure,
    LineClient,
    understood,
)
from edge.bridge.stall import StallDetector
from edge.events.client import NoAnswer
from edge.events.clock import MonotonicTime
from edge.events.control_messages import ClockReply, Request, TriggerReply, TriggerRequest

log = logging.getLogger(__name__)

LATEST_S = 0.05
ANSWER_MS = 200
"""A line that has not answered by then is told as silent; waiting longer makes the next late."""
CLOCK_S = 1.0  # the line's clock is asked anew so often: two clocks drift apart


@dataclass
class Attempt:
    """One trigger; its `outcome` is replaced once, when the line has it or it has failed.

    `asked_s` is when it was seen, or the earliest time at which the PLC can have written it.
    """

    request: TriggerRequest | None
    asked_s: float
    outcome: ChangeOutcome = field(default_factory=ChangeOutcome)

    @property
    def under_way(self) -> bool:
        return self.outcome.state == "loading"


class PlcTrigger(Closeable):
    """Gives triggers to the line in their order. `begin` may be called by any thread."""

    def __init__(self, line: LineClient) -> None:
        self._line = line
        self.given = 0
        """The id of the last trigger that the line has accepted; 0 for none."""
        self._last = 0
        self._clock: tuple[MonotonicTime, float] | None = None  # the line's, and when we had it
        self._lock, self._queue = threading.Lock(), SimpleQueue[Attempt | None]()
        self.standstill = StallDetector(LATEST_S)
        """Of the loop that calls `begin`, where it turns with that."""
        self._thread = threading.Thread(target=self._work, name="triggers", daemon=True)
        self._thread.start()

    def begin(
        self,
        trigger_id: int,
        encoder: int | None = None,
        part_id: str | None = None,
        *,
        fresh: bool = True,
        since_s: float | None = None,
    ) -> Attempt:
        """A part is under the camera; returns at once.

        One that is not `fresh` was there before the bridge was, and photographs nothing.
        `since_s` (monotonic) is when the PLC was last seen without it, where that is known.
        """
        asked_s = time.monotonic()
        try:
            request = TriggerRequest(trigger_id=trigger_id, encoder=encoder, part_id=part_id)
        except ValidationError as error:
            first = error.errors()[0]
            return _refused(None, Failure.REFUSED, f"{first['loc'][0]}: {first['msg']}")
        if trigger_id == 0:
            return _refused(None, Failure.REFUSED, "the trigger's id is 0, which is none")
        if not fresh:
            return _refused(request, Failure.STALE, "it was there before the bridge was")
        if self.standstill.was():
            return _refused(request, Failure.TOO_LATE, "the bridge stood still")
        attempt = Attempt(request, asked_s if since_s is None else min(since_s, asked_s))
        with self._lock:
            if trigger_id == self._last:
                return _refused(request, Failure.REPEATED, "its id is that of the one before")
            self._last = trigger_id
            self._queue.put(attempt)
        return attempt

    def _work(self) -> None:
        while (attempt := self._queue.get()) is not None:
            assert attempt.request is not None
            try:
                self._give(attempt.request, attempt.asked_s + LATEST_S)
            except Failed as error:
                _fail(attempt, error.failure, str(error))
            except NoAnswer as error:
                self._clock = None
                _fail(attempt, Failure.NO_ANSWER, f"{error}: is the line running?")
            except Exception as error:  # whoever waits is told, and the next may be given
                if not isinstance(error, DraemError):
                    log.exception("a trigger could not be given")
                _fail(attempt, Failure.REFUSED, str(error))
            else:
                self.given = attempt.request.trigger_id
                attempt.outcome = ChangeOutcome("done")
        self._line.close()

    def _give(self, request: TriggerRequest, until_s: float) -> None:
        _check(until_s)
        clock, heard_s = self._line_clock()
        _check(until_s)
        # What the line's clock says at `heard_s` is at least `clock`: this is never too late.
        limit = clock.after(until_s - heard_s)
        answer = self._line.ask(request.model_copy(update={"not_after": limit}))
        try:
            given = understood(TriggerReply, answer).trigger_id
        except Failed:
            _check(until_s)
            raise
        if given != request.trigger_id:
            raise NoAnswer("the line has answered to another trigger")

    def _line_clock(self) -> tuple[MonotonicTime, float]:
        """What it was, and when we had the answer."""
        if self._clock is None or time.monotonic() > self._clock[1] + CLOCK_S:
            reply = understood(ClockReply, self._line.ask(Request(request="clock")))
            self._clock = reply.now, time.monotonic()
        return self._clock

    def close(self) -> None:
        """What waits is given, or is too late by then."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)


def _check(until_s: float) -> None:
    if time.monotonic() > until_s:
        text = f"it could not be given to the line within {LATEST_S * 1000:.0f} ms"
        raise Failed(Failure.TOO_LATE, text)


def _refused(request: TriggerRequest | None, failure: Failure, why: str) -> Attempt:
    return _fail(Attempt(request, 0.0), failure, why)


def _fail(attempt: Attempt, failure: Failure, why: str) -> Attempt:
    number = attempt.request.trigger_id if attempt.request else ""
    log.warning("no picture for trigger %s: %s", number, why)
    attempt.outcome = ChangeOutcome("failed", failure, why)
    return attempt
