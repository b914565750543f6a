"""Models of what a bridge makes of commands and triggers, for their state machine.

They say from what was written and answered which request is next and what the PLC reads.
"""

from dataclasses import dataclass, field

from edge.bridge.line_requests import Failure

LATEST_S, CLOCK_S, LINE_TIMEOUT_S = 0.05, 1.0, 10.0
TABLE = {1: "lid", 2: "cap", 3: "box"}


@dataclass(eq=False)
class Trigger:
    """A trigger that the PLC has written, and what the bridge must make of it."""

    id: int
    encoder: int
    part_id: str | None
    until: float
    state: str = "loading"
    failure: Failure = Failure.NONE

    def fail(self, failure: Failure) -> None:
        self.state, self.failure = "failed", failure


@dataclass
class TriggerModel:
    """The triggers in their order. `asking` is the request that the line has to answer now."""

    queue: list[Trigger] = field(default_factory=list)
    asking: str = ""
    given: int = 0
    clock_at: float | None = None

    def turn(self, now: float) -> None:
        """Go on until the line is asked, or nothing is left."""
        while self.queue and not self.asking:
            head = self.queue[0]
            if now > head.until:
                self._end(Failure.TOO_LATE)
            elif self.clock_at is None or now > self.clock_at + CLOCK_S:
                self.asking = "clock"
            else:
                self.asking = "trigger"

    def _end(self, failure: Failure) -> None:
        self.queue.pop(0).fail(failure)

    def answered(self, kind: str, now: float) -> None:
        asked, self.asking = self.asking, ""
        head = self.queue[0]
        if kind in ("silence", "rubbish", "other"):
            self.clock_at = None
            self._end(Failure.NO_ANSWER)
        elif kind == "refusal":
            late = asked == "trigger" and now > head.until
            self._end(Failure.TOO_LATE if late else Failure.REFUSED)
        elif asked == "clock":
            self.clock_at = now
        else:
            self.given, head.state = self.queue.pop(0).id, "done"
        self.turn(now)


@dataclass(eq=False)
class Change:
    """A request for a product, and what the bridge must make of it."""

    product: str
    fresh: bool = True
    state: str = "loading"
    failure: Failure = Failure.NONE


@dataclass
class LineState:
    """The product that the line judges, and its last change."""

    product: str = "lid"
    state: str = "none"
    changing_to: str = ""


@dataclass
class ChangeModel:
    """One change after another. `asking` is the request that the line has to answer now."""

    latest: Change | None = None
    asking: str = ""
    events_until: float | None = None  # waiting for the events, until then
    asked_since: float = 0.0

    @property
    def under_way(self) -> bool:
        return self.latest is not None and self.latest.state == "loading"

    def begin(self, number: int, *, fresh: bool) -> Change:
        if number not in TABLE:
            return Change("", fresh, "failed", Failure.UNKNOWN)
        if not self.under_way or self.latest is None:
            self.latest, self.asking = Change(TABLE[number], fresh), "start"
        elif self.latest.product != TABLE[number]:
            return Change(TABLE[number], fresh, "failed", Failure.BUSY)
        return self.latest

    def _end(self, failure: Failure = Failure.NONE) -> None:
        assert self.latest is not None
        self.latest.state, self.latest.failure = "failed" if failure else "done", failure
        self.asking, self.events_until = "", None

    def turn(self, running: str, now: float) -> None:
        """Look at the product that the line's events name."""
        if self.events_until is None or self.latest is None:
            return
        if running == self.latest.product:
            self._end()
        elif now > self.events_until:
            self._end(Failure.NO_ANSWER)

    def answered(self, kind: str, line: LineState, running: str, now: float) -> None:
        assert self.latest is not None
        if kind == "refusal":
            self._end(Failure.REFUSED)
        elif kind in ("silence", "rubbish"):
            if self.asking != "poll" or now > self.asked_since + LINE_TIMEOUT_S:
                self._end(Failure.NO_ANSWER)
        elif self.asking == "start":
            self._start(line, now)
        else:
            self._look(line, now)
        self.turn(running, now)

    def _start(self, line: LineState, now: float) -> None:
        assert self.latest is not None
        wanted = self.latest.product
        if line.state == "loading" and line.changing_to != wanted:
            self._end(Failure.BUSY)
        elif line.state == "loading" or line.product == wanted:
            self._look(line, now)
        elif not self.latest.fresh:
            self._end(Failure.STALE)
        else:
            self.asking = "switch"

    def _look(self, line: LineState, now: float) -> None:
        assert self.latest is not None
        wanted = self.latest.product
        if line.state == "loading" and line.changing_to == wanted:
            self.asking, self.asked_since = "poll", now
        elif line.product != wanted:
            self._end(Failure.REFUSED)
        else:
            self.asking, self.events_until = "", now + LINE_TIMEOUT_S
