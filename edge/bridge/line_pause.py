"""Pausing and resuming the line from a PLC: a person's `draem control pause`, over the same socket.

A line that only lets in known keys takes it from the role `operator` alone.
"""

import logging
from dataclasses import dataclass
from typing import Literal

from edge.base.person import Person
from edge.bridge.line_requests import LineClient, LineRequest, LineRequests, parse_reply
from edge.events.control_messages import Health, Request, ask_as

log = logging.getLogger(__name__)


@dataclass(eq=False)
class PauseRequest(LineRequest):
    """Pause the line, or resume it."""

    paused: bool


class LinePause(LineRequests[PauseRequest]):
    """Pauses and resumes the line. `begin` may be called by any thread.

    `by` is this bridge, for the audit trail.
    """

    if_no_answer = "is the line running, and may this key pause it?"

    def __init__(self, line: LineClient, by: Person) -> None:
        self._by = by
        super().__init__("pause", line)

    def begin(self, *, paused: bool) -> PauseRequest:
        """Request it; returns at once."""
        request = PauseRequest(paused)
        self._queue.put(request)
        return request

    def _carry_out(self, request: PauseRequest) -> str:
        word: Literal["pause", "resume"] = "pause" if request.paused else "resume"
        parse_reply(Health, ask_as(self._by, self._line, Request(request=word)))
        log.info("the line has accepted: %s", word)
        return ""

    def _not_done(self, request: PauseRequest) -> str:
        return f"the line was not {'paused' if request.paused else 'resumed'}"
