"""The gate's rules, one by one; then any order of events: nothing but a due OK ever opens it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bridge.gate import Gate, Rules
from edge.bridge.signals import Inputs, Trouble
from tests.support.bridge.events import inspection

DEADLINE = 1.0


def gate(mode: Any = "dequeue", **rules: Any) -> Gate:
    """One whose line and PLC are alive at time 0."""
    made = Gate(Rules(mode, DEADLINE, **{"buffer": 3, "plc_silent_s": 0.5, **rules}))
    made.line("running")
    made.plc(Inputs(heartbeat=0), now=0)
    made.plc(Inputs(heartbeat=1), now=0)
    return made


def test_nothing_is_offered_before_anything_is_known() -> None:
    fresh = Gate(Rules())
    assert fresh.signals(0).trouble is Trouble.STARTING
    fresh.line("running")
    assert fresh.signals(0).trouble is Trouble.PLC_SILENT, "its PLC has not been heard"
    assert (fresh.signals(0).verdict, fresh.signals(0).results_valid) == ("NG", False)


def test_a_result_is_held_until_it_is_acknowledged_and_then_the_next() -> None:
    g = gate()
    for number in (1, 2):
        g.result(inspection(number), 0.1, now=0)
    assert g.signals(0.1).inspection_id == 1
    assert g.signals(0.2).inspection_id == 1
    g.plc(Inputs(heartbeat=2, acknowledged=1), now=0.2)
    assert g.signals(0.2).inspection_id == 2
    g.plc(Inputs(heartbeat=3, acknowledged=2), now=0.3)
    signals = g.signals(0.3)
    assert (signals.inspection_id, signals.results_valid, signals.verdict) == (0, False, "NG")
    assert signals.trouble is Trouble.NONE


def test_free_running_shows_the_newest() -> None:
    g = gate("free-running")
    g.result(inspection(1, "NG"), 0.1, now=0)
    g.result(inspection(2), 0.1, now=0)
    signals = g.signals(0.1)
    assert (signals.inspection_id, signals.verdict, signals.results_valid) == (2, "OK", True)


def test_a_result_past_its_deadline_is_withdrawn_never_frozen() -> None:
    for mode, expired in (("free-running", 0), ("dequeue", 1)):
        g = gate(mode, plc_silent_s=0)
        g.result(inspection(1), 0.4, now=10)
        assert g.signals(10.59).results_valid
        after = g.signals(10.61)
        assert (after.results_valid, after.verdict, after.inspection_id) == (False, "NG", 0)
        assert after.counts["expired"] == expired, "free-running showed it; nobody need take it"


def test_a_result_that_comes_too_late_is_counted_and_never_offered() -> None:
    g = gate()
    g.result(inspection(1), DEADLINE, now=0)
    signals = g.signals(0)
    assert (signals.trouble, signals.results_valid) == (Trouble.EXPIRED, False)
    assert (signals.counts["expired"], signals.counts["inspected"]) == (1, 1)


def test_no_verdict_is_a_fault_until_a_good_result_comes() -> None:
    g = gate("free-running")
    g.result(inspection(1), 0, now=0)
    g.result(inspection(2, "NO_VERDICT"), 0, now=0)
    signals = g.signals(0)
    assert (signals.trouble, signals.verdict) == (Trouble.NO_VERDICT, "NG")
    assert not signals.results_valid
    assert signals.ready, "the next part can be judged"
    g.result(inspection(3), 0, now=0)
    assert g.signals(0).verdict == "OK"


def test_waiting_results_are_offered_though_a_later_part_has_no_verdict() -> None:
    g = gate()
    g.result(inspection(1), 0, now=0)
    g.result(inspection(2, "NO_VERDICT"), 0, now=0)
    assert g.signals(0).inspection_id == 1
    g.plc(Inputs(2, acknowledged=1), now=0)
    assert g.signals(0).trouble is Trouble.NO_VERDICT


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("stale", Trouble.LINE_SILENT),
        ("fault", Trouble.LINE_FAULT),
        ("paused", Trouble.LINE_PAUSED),
        ("unanswered", Trouble.LOG_SILENT),
    ],
)
def test_a_line_that_does_not_judge_offers_nothing(state: Any, trouble: Trouble) -> None:
    g = gate()
    g.result(inspection(1), 0, now=0)
    g.line(state)
    signals = g.signals(0)
    assert (signals.trouble, signals.results_valid, signals.verdict) == (trouble, False, "NG")
    assert signals.online == (state != "stale")
    assert not signals.ready
    g.line("running")
    assert g.signals(0.1).inspection_id == 1, "it is still within its deadline"


def test_a_plc_whose_heartbeat_stands_still_gets_nothing() -> None:
    g = gate()
    g.result(inspection(1), 0, now=0)
    assert g.signals(0.49).results_valid
    assert g.signals(0.51).trouble is Trouble.PLC_SILENT
    g.plc(Inputs(heartbeat=1), now=0.52)
    assert g.signals(0.53).trouble is Trouble.PLC_SILENT, "it writes, but does not count"
    g.plc(Inputs(heartbeat=2), now=0.54)
    assert g.signals(0.55).results_valid


def test_an_overrun_drops_what_waits_and_is_a_fault_until_the_next() -> None:
    g = gate()
    for number in range(1, 5):
        g.result(inspection(number), 0, now=0)
    signals = g.signals(0)
    assert (signals.trouble, signals.backlog) == (Trouble.OVERRUN, 0)
    assert signals.counts["overruns"] == 4
    g.result(inspection(5), 0, now=0)
    assert g.signals(0).inspection_id == 5


def test_what_a_plc_took_before_the_bridge_was_killed_is_not_offered_again() -> None:
    g = Gate(Rules("dequeue", DEADLINE))
    g.line("running")
    g.plc(Inputs(heartbeat=7, acknowledged=41), now=0)
    assert g.signals(0).trouble is Trouble.PLC_SILENT, "it may have stopped there"
    g.plc(Inputs(heartbeat=8, acknowledged=41), now=0)
    g.result(inspection(41), 0, now=0)
    assert g.signals(0).inspection_id == 0
    assert g.signals(0).trouble is Trouble.ACK_AHEAD, "its words may lie the wrong way round"
    g.result(inspection(42), 0, now=0)
    assert g.signals(0).inspection_id == 42


def test_a_log_begun_anew_has_its_own_ids() -> None:
    g = gate()
    g.plc(Inputs(heartbeat=2, acknowledged=5000), now=0)
    g.begin_anew()
    g.result(inspection(1), 0, now=0)
    assert g.signals(0).inspection_id == 1
    g.plc(Inputs(heartbeat=3, acknowledged=1), now=0)
    assert g.signals(0).inspection_id == 0
    g.result(inspection(5000), 0, now=0)
    g.plc(Inputs(heartbeat=4, acknowledged=5000), now=0)
    assert g.signals(0).inspection_id == 0, "that id is another one now"


def test_a_gap_is_a_fault_and_a_reset_clears_counters_once() -> None:
    g = gate()
    g.gap()
    assert g.signals(0).trouble is Trouble.GAP
    g.result(inspection(1, "NG"), 0, now=0)
    assert g.signals(0).counts["ng"] == 1
    g.plc(Inputs(2, counter_reset=True), now=0)
    g.result(inspection(2), 0, now=0)
    g.plc(Inputs(3, counter_reset=True), now=0)
    assert g.signals(0).counts == {
        "inspected": 1, "ok": 1, "ng": 0, "no_verdict": 0, "expired": 0, "overruns": 0,
    }  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("result"),
            st.sampled_from(["OK", "NG", "NO_VERDICT"]),
            st.floats(0, 2),
            st.integers(-2, 2),
        ),
        st.tuples(st.just("plc"), st.integers(0, 3), st.integers(0, 12)),
        st.tuples(st.just("line"), st.sampled_from(["running", "paused", "fault", "stale"])),
        st.tuples(st.just("wait"), st.floats(0, 0.7)),
        st.tuples(st.just("gap")),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from(["free-running", "dequeue"]))
def test_only_a_due_result_is_ever_valid(steps: list[Any], mode: Any) -> None:
    """Whatever happens: valid means in time, not taken, in order, and both sides alive."""
    g = Gate(Rules(mode, DEADLINE, buffer=3, plc_silent_s=0.5))
    now, moved, beat, taken, highest, running, said = 0.0, None, 0, 0, 0, False, False
    due: dict[int, tuple[str, float]] = {}
    seen: list[int] = []
    for kind, *values in steps:
        if kind == "result":
            verdict, age, jump = values
            number = max(1, highest + 1 + jump)
            if number > highest:
                due[number] = verdict, now + DEADLINE - age
            highest = max(highest, number)
            g.result(inspection(number, verdict), age, now)
        elif kind == "plc":
            if said and values[0] != beat:
                moved = now
            said = True
            beat, taken = values[0], values[1]
            g.plc(Inputs(beat, taken), now)
        elif kind == "line":
            running = values[0] == "running"
            g.line(values[0])
        elif kind == "wait":
            now += values[0]
        else:
            g.gap()
        signals = g.signals(now)
        if not signals.results_valid:
            assert (signals.verdict, signals.inspection_id) == ("NG", 0)
            continue
        verdict, deadline = due[signals.inspection_id]
        assert signals.verdict == verdict != "NO_VERDICT"
        assert now < deadline
        assert running
        assert moved is not None
        assert now - moved <= 0.5
        assert signals.inspection_id > taken or taken == 0
        assert not seen or signals.inspection_id >= seen[-1]
        seen.append(signals.inspection_id)
