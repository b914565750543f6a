"""What passes between a gate and its PLC: signals one way, inputs the other; why there is no OK.

Values alone; edge/bridge/gate.py is the machine that makes one from the other.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from edge.events.event import Inspection, Verdict

LineState = Literal["running", "paused", "fault", "stale", "starting", "unanswered"]
COUNTED = ("inspected", "ok", "ng", "no_verdict", "expired", "overruns")


class Trouble(IntEnum):
    """Why the gate has no valid result. Numbers never change their meaning."""

    NONE = 0
    LINE_SILENT = 1  # no heartbeat from the inspector: hung, down or cut off
    LINE_FAULT = 2  # the inspector says that it cannot judge
    LINE_PAUSED = 3  # somebody paused it
    PLC_SILENT = 4  # the PLC's heartbeat does not change
    NO_VERDICT = 5  # the last part got no verdict
    EXPIRED = 6  # the last part's verdict came too late
    GAP = 7  # events are gone from the log: parts without a verdict
    OVERRUN = 8  # more results waited than the buffer holds
    STARTING = 9  # nothing is known of the line yet
    ACK_AHEAD = 10  # the PLC acknowledges ids that have not come yet
    LOG_SILENT = 11  # events are missing, and the station's log cannot be asked for them
    HALTED = 12  # the PLC has halted the bridge


OF_LINE: dict[LineState, Trouble] = {
    "running": Trouble.NONE,
    "stale": Trouble.LINE_SILENT,
    "fault": Trouble.LINE_FAULT,
    "paused": Trouble.LINE_PAUSED,
    "starting": Trouble.STARTING,
    "unanswered": Trouble.LOG_SILENT,
}
PASSING = (
    Trouble.NO_VERDICT,
    Trouble.EXPIRED,
    Trouble.GAP,
    Trouble.OVERRUN,
    Trouble.ACK_AHEAD,
)
"""Troubles of one part: the next good result ends them."""


@dataclass(frozen=True)
class Inputs:
    """What the PLC writes. `acknowledged` is the inspection id that it took last.

    While `hold` is set the next result waits; `halted` offers nothing until it is taken back.
    `reset` and `counter_reset` work when they are set, once.
    """

    heartbeat: int = 0
    acknowledged: int = 0
    reset: bool = False
    counter_reset: bool = False
    hold: bool = False
    halted: bool = False


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
    running: str = ""
    """The product that the line judges now, empty where it is silent; a result names its own."""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def inspection_id(self) -> int:
        """0 where no result is offered."""
        return self.result.inspection_id if self.result else 0


@dataclass(frozen=True)
class Missed:
    """A result that came and that the gate could not use: never offered, or not taken in time."""

    inspection: Inspection
    why: Literal["expired", "not_taken", "overrun", "ack_ahead"]
    age_s: float
