"""Examples of the gate's rules; test_plc_gate_machine.py has any sequence of events."""

from typing import Any

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
