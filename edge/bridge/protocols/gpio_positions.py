"""Where parts are between camera and gate: by time, by the counts in the events, or by a line.

A picture's position is taken at the time of its trigger, so a verdict's own delay does not matter.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections import deque

from edge.bridge.protocols.gpio_lines import Pins
from edge.events.event import Inspection

log = logging.getLogger(__name__)

EDGES_REMEMBERED = 100_000


class Positions(ABC):
    """Positions of one kind; they only rise. Used by one thread."""

    counted = True
    """Whether positions are counts, which may fail to come."""
    lost = False
    """Set when no part's place is known any more; the caller rejects all parts, and resets it."""

    @abstractmethod
    def now(self, now_s: float) -> float | None:
        """The position at `now_s` (monotonic, the present); None while it is not known."""

    @abstractmethod
    def of_picture(self, inspection: Inspection, captured_s: float) -> float | None:
        """The position at a trigger; called for every part in its turn. None: it has none."""

    def seconds_to(self, distance: float) -> float:
        """When the position will have risen so far; infinite where nobody can know."""
        return float("inf")

    def wait(self, seconds: float) -> bool:
        """Wait for the next count; False where there is nothing to wait for."""
        return False


class ByTime(Positions):
    """Milliseconds of the monotonic clock."""

    counted = False

    def now(self, now_s: float) -> float | None:
        return 1000 * now_s

    def of_picture(self, inspection: Inspection, captured_s: float) -> float | None:
        return 1000 * captured_s

    def seconds_to(self, distance: float) -> float:
        return distance / 1000


class ByEvents(Positions):
    """The encoder count of the newest event, which stands until the next part.

    After `longest_s` seconds without a part the position is unknown.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s, self._captured_s = longest_s, -float("inf")
        self._position = self._sign = 0
        self._count: int | None = None

    def now(self, now_s: float) -> float | None:
        return self._position if now_s - self._captured_s < self._longest_s else None

    def of_picture(self, inspection: Inspection, captured_s: float) -> float | None:
        count = inspection.encoder
        if count is None:
            return None
        step = 0 if self._count is None else count - self._count
        sign = (step > 0) - (step < 0)
        if sign and self._sign and sign != self._sign:
            log.warning("the encoder count of the events goes back: all parts on their way "
                        "are rejected")  # fmt: skip
            self.lost = True
        self._count, self._captured_s = count, captured_s
        self._sign = sign or self._sign
        self._position += abs(step)
        return self._position


class ByLine(Positions):
    """Edges of an input line, each with the kernel's own time (monotonic).

    A part whose picture was taken before all edges since then are known has no position.
    """

    def __init__(self, pins: Pins) -> None:
        self._pins, self._count, self._since_s = pins, 0, time.monotonic()
        self._times: deque[float] = deque(maxlen=EDGES_REMEMBERED)
        self._last: int | None = None  # the number that the kernel gave to the newest edge

    def now(self, now_s: float) -> float | None:
        for edge in self._pins.edges():
            if self._last is not None and edge.line_seqno != self._last + 1:
                log.warning("the encoder counts too fast, %d edges are lost: all parts on their "
                            "way are rejected", edge.line_seqno - self._last - 1)  # fmt: skip
                self.lost, self._since_s = True, edge.timestamp_ns / 1e9
            self._last = edge.line_seqno
            self._times.append(edge.timestamp_ns / 1e9)
            self._count += 1
        return self._count

    def of_picture(self, inspection: Inspection, captured_s: float) -> float | None:
        if captured_s < self._since_s:
            return None
        later = 0
        for at in reversed(self._times):
            if at <= captured_s:
                break
            later += 1
        return None if later == EDGES_REMEMBERED else self._count - later

    def wait(self, seconds: float) -> bool:
        self._pins.wait_for_edge(seconds)
        return True
