"""The states of OPC 40100-1: where a line is, and the standard's transitions to get there."""

import re
from itertools import product

import pytest

from edge.bridge.protocols.opcua_nodeset import read_nodeset
from edge.bridge.protocols.opcua_states import (
    CAUSED,
    EXECUTING,
    STATES,
    Cause,
    State,
    path,
    state_of,
    top_of,
)
from edge.bridge.signals import OF_LINE, Trouble

PAIRS = list(product(State, State))
CAUSES: tuple[Cause, ...] = ("", *CAUSED)


@pytest.fixture(scope="module")
def names() -> set[str]:
    """All browse names of the standard."""
    return set(re.findall(r'BrowseName="1:(\w+)"', read_nodeset(None)))


def test_each_state_is_reached_from_each_by_transitions_that_follow_each_other() -> None:
    for now, wanted in PAIRS:
        state = now
        for step in path(now, wanted):
            assert step.source in (state, top_of(state)), (now, wanted, step.name)
            state = step.after
        assert state is wanted


def test_all_names_are_those_of_the_standard(names: set[str]) -> None:
    assert names >= {str(state) for state in State}
    for (now, wanted), cause in product(PAIRS, CAUSES):
        assert {step.name for step in path(now, wanted, cause)} <= names, (now, wanted, cause)


def test_a_method_names_the_transition_that_it_causes() -> None:
    def taken(now: State, wanted: State, cause: Cause) -> list[str]:
        return [step.name for step in path(now, wanted, cause)]

    ready, continuous = State.READY, State.CONTINUOUS
    assert taken(continuous, ready, "Stop") == ["ContinuousExecutionToReadyStop"]
    assert taken(continuous, ready, "Abort") == ["ContinuousExecutionToReadyAbort"]
    assert taken(continuous, ready, "") == ["ContinuousExecutionToReadyAuto"]
    assert taken(ready, continuous, "StartContinuous") == ["ReadyToContinuousExecution"]
    assert taken(continuous, State.HALTED, "Halt") == ["OperationalToHalted"]
    assert taken(State.HALTED, State.PREOPERATIONAL, "Reset") == ["HaltedToPreoperational"]
    back = taken(State.ERROR, ready, "Stop")
    assert back == ["ErrorToOperationalAuto", "InitializedToReadyAuto"]


def test_opcua_shows_no_execution_where_the_line_judges_nothing() -> None:
    silent = set(OF_LINE.values()) - {Trouble.NONE} | {Trouble.HALTED}
    assert silent == {*STATES, Trouble.LINE_PAUSED, Trouble.HALTED}, "or it executes"
    for trouble, single, job in product(silent, (True, False), (True, False)):
        shown = state_of(trouble, halted=False, single_jobs=single, job=job)
        assert shown not in EXECUTING, trouble
    for trouble, single, job in product(Trouble, (True, False), (True, False)):
        assert state_of(trouble, halted=True, single_jobs=single, job=job) is State.HALTED


def test_a_paused_line_is_ready_to_be_started_but_for_no_single_job() -> None:
    def shown(trouble: Trouble, *, single: bool, job: bool = False) -> State:
        return state_of(trouble, halted=False, single_jobs=single, job=job)

    assert shown(Trouble.LINE_PAUSED, single=False) is State.READY
    assert shown(Trouble.LINE_PAUSED, single=True) is State.INITIALIZED
    assert shown(Trouble.NONE, single=False) is State.CONTINUOUS
    assert shown(Trouble.NO_VERDICT, single=False) is State.CONTINUOUS
    assert shown(Trouble.NONE, single=True) is State.READY
    assert shown(Trouble.NONE, single=True, job=True) is State.SINGLE
