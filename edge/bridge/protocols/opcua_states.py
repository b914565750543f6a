"""The two state machines of OPC 40100-1 as values: the state that a line is in, and the way there.

VisionStateMachine has Preoperational, Halted, Error and Operational; within Operational there is
AutomaticModeStateMachine with Initialized, Ready, SingleExecution and ContinuousExecution.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from edge.bridge.signals import Trouble

Cause = Literal["", "Halt", "Reset", "StartContinuous", "StartSingleJob", "Stop", "Abort"]
"""The method that changes the state; empty where the system does by itself."""


class State(StrEnum):
    """All states but Operational, which is one of the last four."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE = "SingleExecution"
    CONTINUOUS = "ContinuousExecution"


OPERATIONAL = "Operational"
EXECUTING = (State.SINGLE, State.CONTINUOUS)
AUTOMATIC = (State.INITIALIZED, State.READY, *EXECUTING)

TOP = {
    State.PREOPERATIONAL: (State.HALTED, State.ERROR, OPERATIONAL),
    State.HALTED: (State.PREOPERATIONAL,),
    State.ERROR: (State.PREOPERATIONAL, State.HALTED, OPERATIONAL),
    OPERATIONAL: (State.PREOPERATIONAL, State.HALTED, State.ERROR),
}
WITHIN = {
    State.INITIALIZED: (State.READY,),
    State.READY: (State.INITIALIZED, State.SINGLE, State.CONTINUOUS),
    State.SINGLE: (State.READY,),
    State.CONTINUOUS: (State.READY,),
}
CAUSED: dict[Cause, tuple[str, str]] = {
    "Halt": (State.HALTED, ""),
    "Reset": (State.PREOPERATIONAL, ""),
    "StartContinuous": (State.CONTINUOUS, ""),
    "StartSingleJob": (State.SINGLE, ""),
    "Stop": (State.READY, "Stop"),
    "Abort": (State.READY, "Abort"),
}
"""Where a method leads, and how the name of its transition ends."""

STATES = {
    Trouble.STARTING: State.PREOPERATIONAL,
    Trouble.LINE_SILENT: State.ERROR,
    Trouble.LINE_FAULT: State.ERROR,
    Trouble.LOG_SILENT: State.ERROR,
}
"""In all others the line judges parts, or is paused, or a client has halted the bridge."""


@dataclass(frozen=True)
class Step:
    """One transition of one of the two machines."""

    source: str
    target: str
    suffix: str
    after: State
    """The state after it; the first of the automatic mode where Operational is entered."""

    @property
    def name(self) -> str:
        return f"{self.source}To{self.target}{self.suffix}"

    @property
    def automatic(self) -> bool:
        """Whether it is one of AutomaticModeStateMachine."""
        return self.source in AUTOMATIC


def state_of(trouble: Trouble, *, halted: bool, single_jobs: bool, job: bool) -> State:
    """The state of a line; with `single_jobs` it waits for StartSingleJob, and `job` is under way.

    A paused line can be started; with `single_jobs` it cannot, since only StartContinuous resumes.
    """
    if halted or trouble is Trouble.HALTED:
        return State.HALTED
    if trouble in STATES:
        return STATES[trouble]
    if trouble is Trouble.LINE_PAUSED:
        return State.INITIALIZED if single_jobs else State.READY
    if single_jobs:
        return State.SINGLE if job else State.READY
    return State.CONTINUOUS


def top_of(state: State) -> str:
    """The state of VisionStateMachine."""
    return OPERATIONAL if state in AUTOMATIC else state


def path(now: State, wanted: State, cause: Cause = "") -> list[Step]:
    """The transitions from one state to another, the fewest that the standard has."""
    ways: deque[tuple[State, list[Step]]] = deque([(now, [])])
    seen = {now}
    while ways:
        state, steps = ways.popleft()
        if state is wanted:
            return steps
        for step in _steps(state, cause):
            if step.after not in seen:
                seen.add(step.after)
                ways.append((step.after, [*steps, step]))
    raise AssertionError(f"no way from {now} to {wanted}")


def _steps(state: State, cause: Cause) -> Iterator[Step]:
    pairs: list[tuple[str, str]] = [(state, target) for target in WITHIN.get(state, ())]
    pairs += [(top_of(state), target) for target in TOP[top_of(state)]]
    for source, target in pairs:
        after = State.INITIALIZED if target == OPERATIONAL else State(target)
        yield Step(str(source), str(target), _suffix(source, target, cause), after)


def _suffix(source: str, target: str, cause: Cause) -> str:
    leads, suffix = CAUSED.get(cause, ("", ""))
    if leads != target or (target == State.READY and source not in EXECUTING):
        return "Auto"
    return suffix
