"""What the PLC sees: one result at a time, fail-safe. A state machine: no wire, thread or clock.

A result is offered to the gate only while it can still be used: within its deadline from the
trigger, once, in order, and while the line and the PLC are alive. Everything else is what a reject
gate makes of silence: no OK for that part, so it goes out. `signals` is the whole picture at one
moment; a wire carries it to its PLC and hands in what that writes (`Inputs`).
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from edge.event import Inspection, Verdict

Mode = Literal["free-running", "dequeue"]
LineState = Literal["running", "paused", "fault", "stale", "starting", "unanswered"]
COUNTED = ("inspected", "ok", "ng", "no_verdict", "expired", "overruns")


class Trouble(IntEnum):
    """Why the gate has no valid result. Numbers never change their meaning."""

    NONE = 0
    LINE_SILENT = 1  # no heartbeat from the inspector: hung, down or cut off
    LINE_FAULT = 2  # the inspector says that it cannot judge
    LINE_PAUSED = 3  # somebody paused it
    PLC_SILENT = 4  # the PLC's heartbeat stands still
    NO_VERDICT = 5  # the last part got no verdict
    EXPIRED = 6  # the last part's verdict came too late
    GAP = 7  # events are gone from the log: parts without a verdict
    OVERRUN = 8  # more results waited than the buffer holds
    STARTING = 9  # nothing is known of the line yet
    ACK_AHEAD = 10  # the PLC acknowledges ids that have not come yet
    LOG_SILENT = 11  # events are missing, and the station's log cannot be asked for them


OF_LINE = {
    "running": Trouble.NONE,
    "stale": Trouble.LINE_SILENT,
    "fault": Trouble.LINE_FAULT,
    "paused": Trouble.LINE_PAUSED,
    "starting": Trouble.STARTING,
    "unanswered": Trouble.LOG_SILENT,
}


@dataclass(frozen=True)
class Rules:
    """How results are handed over.

    `deadline_s` counts from the trigger; `buffer` results may wait (dequeue); a PLC whose heartbeat
    stands still for `plc_silent_s` is down (0: it has none, and is never asked).
    """

    mode: Mode = "free-running"
    deadline_s: float = 1.0
    buffer: int = 8
    plc_silent_s: float = 1.0


@dataclass(frozen=True)
class Inputs:
    """What the PLC writes. `acknowledged` is the inspection id that it took last."""

    heartbeat: int = 0
    acknowledged: int = 0
    reset: bool = False


@dataclass(frozen=True)
class Signals:
    """Everything that the PLC may read, of one moment. Without a valid result the verdict is NG."""

    online: bool = False
    ready: bool = False
    trouble: Trouble = Trouble.STARTING
    results_valid: bool = False
    verdict: Verdict = "NG"
    result: Inspection | None = None
    backlog: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def inspection_id(self) -> int:
        """0 where no result is offered."""
        return self.result.inspection_id if self.result else 0


class Gate:
    """Not for several threads at once: whoever shares it locks it (edge/bridge/feed.py).

    Times are seconds of one monotonic clock; `now` never goes back.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self._waiting: deque[tuple[Inspection, float]] = deque()  # with the time of its deadline
        self._line = Trouble.STARTING
        self._part = Trouble.NONE  # what became of the last part
        self._newest = 0  # the highest inspection id that was ever offered or left out
        self._inputs = Inputs()
        self._old_acknowledged = 0  # what the PLC says of another log's ids
        self._plc_said = False
        self._plc_moved: float | None = None  # when its heartbeat last moved

    def line(self, state: LineState) -> None:
        """What the inspector's heartbeat says, or that there is none."""
        self._line = OF_LINE[state]

    def begin_anew(self) -> None:
        """The line's log is another one: its ids begin with 1 again."""
        self._newest = 0
        self._waiting.clear()
        self._old_acknowledged = self._inputs.acknowledged

    def gap(self) -> None:
        """Events are gone for good: some parts have no verdict."""
        self._part = Trouble.GAP

    def result(self, inspection: Inspection, age_s: float, now: float) -> bool:
        """A part's verdict, `age_s` after its trigger; whether it is one and came in time."""
        if inspection.inspection_id <= self._newest:
            return False  # it came again
        self._newest = inspection.inspection_id
        self.counts["inspected"] += 1
        self.counts[inspection.verdict.lower()] += 1
        if inspection.verdict == "NO_VERDICT":
            self._part = Trouble.NO_VERDICT
            if self.rules.mode == "free-running":
                self._waiting.clear()  # the newest part is this one
        elif age_s >= self.rules.deadline_s:
            self._expire()
        elif inspection.inspection_id > self._acknowledged():
            self._offer(inspection, now + self.rules.deadline_s - age_s)
            return True
        else:
            self.counts["expired"] += 1
            self._part = Trouble.ACK_AHEAD
        return False

    def plc(self, inputs: Inputs, now: float) -> None:
        """What the PLC has written."""
        # The first word only says where it stands: a PLC that has stopped says that too.
        if self._plc_said and inputs.heartbeat != self._inputs.heartbeat:
            self._plc_moved = now
        self._plc_said = True
        if inputs.acknowledged != self._old_acknowledged:
            self._old_acknowledged = 0
        if inputs.reset and not self._inputs.reset:
            self.counts = Counter(dict.fromkeys(COUNTED, 0))
            self._part = Trouble.NONE
        self._inputs = inputs
        while self._waiting and self._waiting[0][0].inspection_id <= self._acknowledged():
            self._waiting.popleft()

    def signals(self, now: float) -> Signals:
        """What the PLC reads at `now`."""
        while self._waiting and self._waiting[0][1] <= now:
            self._waiting.popleft()
            if self.rules.mode == "dequeue":  # nobody took it
                self._expire()
        trouble = self._trouble(now)
        offered = self._waiting[0][0] if self._waiting and trouble is Trouble.NONE else None
        return Signals(
            online=self._line is not Trouble.STARTING and self._line is not Trouble.LINE_SILENT,
            ready=trouble in (Trouble.NONE, *PASSING),
            trouble=trouble,
            results_valid=offered is not None,
            verdict=offered.verdict if offered else "NG",
            result=offered,
            backlog=len(self._waiting),
            counts=dict(self.counts),
        )

    def _acknowledged(self) -> int:
        said = self._inputs.acknowledged
        return 0 if said == self._old_acknowledged else said

    def _offer(self, inspection: Inspection, deadline: float) -> None:
        if self.rules.mode == "free-running":
            self._waiting.clear()
        elif len(self._waiting) >= self.rules.buffer:
            # The PLC does not keep up. All of them go, so that what it reads next is current.
            self.counts["overruns"] += 1 + len(self._waiting)
            self._waiting.clear()
            self._part = Trouble.OVERRUN
            return
        self._waiting.append((inspection, deadline))
        self._part = Trouble.NONE

    def _expire(self) -> None:
        self.counts["expired"] += 1
        self._part = Trouble.EXPIRED

    def _trouble(self, now: float) -> Trouble:
        """The worst that holds now: the line's, then the PLC's, then the last part's."""
        if self._line is not Trouble.NONE:
            return self._line
        silent = self.rules.plc_silent_s
        if silent and (self._plc_moved is None or now - self._plc_moved > silent):
            return Trouble.PLC_SILENT
        return Trouble.NONE if self._waiting else self._part


PASSING = (
    Trouble.NO_VERDICT,
    Trouble.EXPIRED,
    Trouble.GAP,
    Trouble.OVERRUN,
    Trouble.ACK_AHEAD,
)
"""Troubles of one part: the next good result ends them."""
