"""What the PLC sees: one result at a time, fail-safe. A state machine: no wire, thread or clock.

A result is offered only while it can be used: before its deadline (counted from the trigger), once,
in order, and while line and PLC are alive. In all other cases there is no OK for that part, and the
reject gate removes it. `signals` has everything at one time; a protocol passes it to its PLC, and
passes back what the PLC writes (`Inputs`).
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge.bridge.signals import (
    COUNTED,
    OF_LINE,
    PASSING,
    Inputs,
    LineState,
    Missed,
    Signals,
    Trouble,
)
from edge.events.event import Inspection

Mode = Literal["free-running", "dequeue"]
Taken = Literal["offered", "left-out", "known"]
"""What became of a result; `known` is one that came again."""
MISSED = 1000  # so many are kept until somebody takes them


@dataclass(frozen=True)
class Rules:
    """How results are handed over.

    `deadline_s` counts from the trigger; `buffer` results may wait (dequeue); a PLC whose heartbeat
    has not changed for `plc_silent_s` is down (0: it has none).
    """

    mode: Mode = "free-running"
    deadline_s: float = 1.0
    buffer: int = 8
    plc_silent_s: float = 1.0


class Waiting(NamedTuple):
    """A result and the time of its deadline."""

    result: Inspection
    deadline: float


class Gate:
    """Not safe for several threads: edge/bridge/feed.py locks it.

    Times are seconds of one monotonic clock; `now` never goes back.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self._waiting: deque[Waiting] = deque()
        self._missed: deque[Missed] = deque(maxlen=MISSED)
        self._line = Trouble.STARTING
        self._part = Trouble.NONE  # of the last part
        self._newest = 0  # the highest inspection id that was ever offered or left out
        self._inputs = Inputs()
        self._old_acknowledged = 0  # what the PLC acknowledged of another log
        self._plc_seen = False
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
        """Events are lost: some parts have no verdict."""
        self._part = Trouble.GAP

    def result(self, inspection: Inspection, age_s: float, now: float) -> Taken:
        """A part's verdict, `age_s` after its trigger."""
        if inspection.inspection_id <= self._newest:
            return "known"
        self._newest = inspection.inspection_id
        self.counts["inspected"] += 1
        self.counts[inspection.verdict.lower()] += 1
        if inspection.verdict == "NO_VERDICT":
            self._part = Trouble.NO_VERDICT
            if self.rules.mode == "free-running":
                self._waiting.clear()  # the newest part is this one
        elif age_s >= self.rules.deadline_s:
            self._expire(Missed(inspection, "expired", age_s))
        elif inspection.inspection_id > self._acknowledged():
            self._offer(Waiting(inspection, now + self.rules.deadline_s - age_s), now)
            return "offered"
        else:
            self._expire(Missed(inspection, "ack_ahead", age_s), Trouble.ACK_AHEAD)
        return "left-out"

    def plc_age_s(self, now: float) -> float | None:
        """Seconds since the PLC's heartbeat changed; None before its first change."""
        return None if self._plc_moved is None else now - self._plc_moved

    def plc(self, inputs: Inputs, now: float) -> None:
        """What the PLC has written."""
        # The first value proves nothing: a PLC that has stopped has one too.
        if self._plc_seen and inputs.heartbeat != self._inputs.heartbeat:
            self._plc_moved = now
        self._plc_seen = True
        if inputs.acknowledged != self._old_acknowledged:
            self._old_acknowledged = 0
        if inputs.counter_reset and not self._inputs.counter_reset:
            self.counts = Counter(dict.fromkeys(COUNTED, 0))
        if inputs.reset and not self._inputs.reset:
            self._part = Trouble.NONE
        self._inputs = inputs
        while self._waiting and self._waiting[0].result.inspection_id <= self._acknowledged():
            self._waiting.popleft()

    def signals(self, now: float) -> Signals:
        """What the PLC reads at `now`."""
        self._withdraw(now)
        trouble = self._trouble(now)
        clear = trouble is Trouble.NONE and not self._inputs.hold
        offered = self._waiting[0].result if self._waiting and clear else None
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

    def missed(self) -> list[Missed]:
        """What has been missed since this was last asked for; of very many the newest."""
        taken = list(self._missed)
        self._missed.clear()
        return taken

    def _withdraw(self, now: float) -> None:
        """Nothing is offered beyond its deadline."""
        while self._waiting and self._waiting[0].deadline <= now:
            late = self._waiting.popleft()
            # In free-running mode it was shown, which is enough.
            if self.rules.mode == "dequeue" or self._inputs.hold:
                self._expire(Missed(late.result, "not_taken", self._age_s(late, now)))

    def _age_s(self, waiting: Waiting, now: float) -> float:
        return now - waiting.deadline + self.rules.deadline_s

    def _acknowledged(self) -> int:
        said = self._inputs.acknowledged
        return 0 if said == self._old_acknowledged else said

    def _offer(self, new: Waiting, now: float) -> None:
        if self.rules.mode == "free-running":
            self._waiting.clear()
        elif len(self._waiting) >= self.rules.buffer:
            # The PLC does not keep up. All of them go, so that what it reads next is current.
            dropped = [*self._waiting, new]
            self._missed += (
                Missed(one.result, "overrun", self._age_s(one, now)) for one in dropped
            )
            self.counts["overruns"] += len(dropped)
            self._waiting.clear()
            self._part = Trouble.OVERRUN
            return
        self._waiting.append(new)
        self._part = Trouble.NONE

    def _expire(self, missed: Missed, trouble: Trouble = Trouble.EXPIRED) -> None:
        self.counts["expired"] += 1
        self._missed.append(missed)
        self._part = trouble

    def _trouble(self, now: float) -> Trouble:
        """The worst that holds now: the line's, then the PLC's, then the last part's."""
        if self._line is not Trouble.NONE:
            return self._line
        if self._inputs.halted:
            return Trouble.HALTED
        silent = self.rules.plc_silent_s
        if silent and (self._plc_moved is None or now - self._plc_moved > silent):
            return Trouble.PLC_SILENT
        return Trouble.NONE if self._waiting else self._part
