"""The safety property of every wire over any sequence of events, checked after each of them.

What a PLC reads over the wire's own mapping is compared with a model. Only a due result is valid:
an OK or NG of this log that came before its deadline, in order, not acknowledged, not withdrawn,
while line and PLC are alive. And what is due is offered. tests/support/bridge/wires has the wires.
"""

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.bridge import feed as feed_module
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.signals import Inputs, Missed, Trouble
from edge.events.clock import boot_id
from edge.events.event import Inspection, Verdict
from edge.events.notices import NoticeKind
from tests.support.bridge.events import fault, status
from tests.support.bridge.gate_model import (
    BUFFER,
    DEADLINE_S,
    PERIOD_S,
    Clock,
    Model,
    Part,
    Script,
    Threads,
)
from tests.support.bridge.machines import run_machine
from tests.support.bridge.wires import gpio
from tests.support.bridge.wires.gpio import Gpio
from tests.support.bridge.wires.memory import S7, EthernetIp
from tests.support.bridge.wires.modbus import Modbus, ModbusLowFirst
from tests.support.bridge.wires.mqtt import Mqtt
from tests.support.bridge.wires.opcua import Opcua
from tests.support.bridge.wires.wire import View, Wire

WIRES = {Modbus: 150, ModbusLowFirst: 40, S7: 80, EthernetIp: 80, Opcua: 60, Mqtt: 60, Gpio: 80}
"""And how many runs each gets."""
VERDICTS = st.sampled_from(["OK", "OK", "NG", "NO_VERDICT"])
PRODUCTS = st.sampled_from(["lid", "cap"])
NOTICES = st.sampled_from(["gone", "skipped", "unanswered", "answered", "repeat", "gap", "stale"])
AGES_S = st.sampled_from([0.0, 0.0, 0.1, 0.6, 0.99, 1.0, 1.04, 3.0])
AHEAD_S = st.sampled_from([None, None, 0.0, 0.04, 0.04, 0.2, -0.3])
"""How far the clock of another machine is ahead; None is a station on this machine."""
SKEW_S = 0.05
GAPS_S = (0.03, 0.1, 0.15, 0.3)


class GateMachine(RuleBasedStateMachine):
    """A line, a bridge and a PLC; `model` is what this bridge has received."""

    wire_type: type[Wire]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self._patches, self.threads = ExitStack(), Threads()
        of_test = {"time": self.clock, "datetime": self.clock, "threading": self.threads}
        for name, double in of_test.items():
            self._patches.enter_context(patch.object(feed_module, name, double))
        self.number = self.highest = self.beats = self.old_ack = 0
        self._bridge = ExitStack()
        self.wire = self.wire_type(self.clock)
        self._patches.callback(self.wire.close)
        self.connected = True

    @initialize(data=st.data(), silent_s=st.sampled_from([0.5, 0.5, 0]))
    def start(self, data: st.DataObject, silent_s: float) -> None:
        mode = data.draw(st.sampled_from(self.wire.modes))
        silent_s = silent_s if self.wire.handshakes else 0
        self.handover = Rules(mode, DEADLINE_S, BUFFER, silent_s)
        self.bridge_starts(killed=True)
        self.time_passes_alive(0.01, 2)

    @rule(killed=st.booleans())
    def bridge_starts(self, killed: bool) -> None:
        """One that was killed has changed nothing; a new one knows nothing of before."""
        if not killed:
            self.wire.end()
            assert not self.wire.reads_ok(), "the last word"
        self._bridge.close()
        self.model = Model(self.handover.mode, self.handover.plc_silent_s)
        self.sent, self.missed = list[int](), list[tuple[int, str]]()
        self.messages, self.at_gate = list[tuple[int, str]](), list[gpio.Part]()
        self.highest, self.script = 0, Script(self.threads)
        self.feed = Feed(
            Gate(self.handover), self.script.source, self._send, self._miss,
            left_out=self.wire.left_out,
        )  # fmt: skip
        self._bridge.callback(self.feed.close)
        for inputs in self.wire.start(self.feed):
            self.model.plc(inputs, self.clock.s)

    def _send(self, inspection: Inspection) -> None:
        self.sent.append(inspection.inspection_id)
        if self.connected:
            self.messages.append((inspection.inspection_id, inspection.verdict))
        self.wire.in_time(inspection)

    def _miss(self, missed: Missed) -> None:
        self.missed.append((missed.inspection.inspection_id, missed.why))

    @precondition(lambda self: self.wire.loses_connection)
    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]), parts=st.integers(0, 3))
    def connection_is_lost(self, seconds: float, parts: int) -> None:
        """For the PLC no bridge is there; nothing of this time reaches it later."""
        self.wire.lose_connection()
        self.connected = False
        for _ in range(parts):
            self.part("OK", 0.0, 0, None, "lid")
        self.clock.s += seconds
        assert self.wire.look() is None
        self.wire.find_connection()
        self.connected = True

    @precondition(lambda self: self.wire.handshakes)
    @rule()
    def plc_restarts(self) -> None:
        """Without its memory, in which it has acknowledged."""
        self.wire.lose_memory()
        self._plc(Inputs())

    @rule(
        state=st.sampled_from(["running", "running", "running", "paused", "fault"]),
        product=PRODUCTS,
        behind=st.integers(0, 2),
    )
    def beat(self, state: str, product: str, behind: int) -> None:
        """A heartbeat; one that is behind names a product of before the newest event."""
        head = max(0, self.number - behind)
        self.script.beat(state, product, head)
        self.model.names(product, head)
        self.model.heard, self.model.state = self.clock.s, state

    @rule(verdict=VERDICTS, age_s=AGES_S, lost=st.integers(0, 2), ahead_s=AHEAD_S, product=PRODUCTS)
    def part(
        self, verdict: Verdict, age_s: float, lost: int, ahead_s: float | None, product: str
    ) -> None:
        """A new result, after `lost` parts that never came."""
        self.number += 1 + lost
        self._deliver(self.number, verdict, age_s, ahead_s, product)

    @rule(count=st.integers(2, 5), verdict=st.sampled_from(["OK", "NG"]), ahead_s=AHEAD_S)
    def burst(self, count: int, verdict: Verdict, ahead_s: float | None) -> None:
        for _ in range(count):
            self.part(verdict, 0.0, 0, ahead_s, "lid")

    @precondition(lambda self: self.number)
    @rule(verdict=VERDICTS, back=st.integers(0, 3), product=PRODUCTS)
    def repeat(self, verdict: Verdict, back: int, product: str) -> None:
        """An event that comes again, or out of order."""
        self._deliver(max(1, self.number - back), verdict, 0.0, None, product)

    def _deliver(
        self, number: int, verdict: Verdict, age_s: float, ahead_s: float | None, product: str
    ) -> None:
        captured = self.clock.s - age_s + (ahead_s or 0)
        machine = boot_id() if ahead_s is None else "another"
        too_far = ahead_s is not None and captured - self.clock.s > SKEW_S
        deadline = 0.0 if too_far else min(captured, self.clock.s) + DEADLINE_S
        self.model.names(product, number)
        self.model.unanswered = False
        new, before = number > self.model.newest, len(self.model.sent)
        self.model.part(Part(number, verdict, product, deadline), self.clock.s)
        if new:
            self._add_at_gate(deadline, verdict == "OK" and len(self.model.sent) > before)
        self.script.part(number, verdict, product, captured, machine)

    def _add_at_gate(self, begins: float, ok: bool) -> None:
        """A part whose trigger is at no known time rejects all that are on their way."""
        for part in self.at_gate:
            part.ok = part.ok and begins != 0
        if begins:
            self.at_gate.append(gpio.Part(begins, ok))

    @rule(kind=NOTICES)
    def notice(self, kind: NoticeKind) -> None:
        self.script.notice(kind)
        if kind in ("gone", "skipped"):
            self.model.of_part = Trouble.GAP
        elif kind in ("unanswered", "answered"):
            self.model.unanswered = kind == "unanswered"

    @rule(names=st.booleans(), product=PRODUCTS)
    def event_without_a_part(self, names: bool, product: str) -> None:
        """A status or a fault may be all that fills a gap: the log has answered all the same."""
        self.script.deliver(status(self.number + 1, product) if names else fault(self.number + 1))
        self.model.unanswered = False
        if names:
            self.model.names(product, self.number + 1)

    @rule()
    def line_begins_another_log(self) -> None:
        """Its ids begin with 1 again."""
        self.script.notice("new-stream")
        self.old_ack = self.model.inputs.acknowledged if self.model.inputs else 0
        self.model.another_log()
        self.number = self.highest = 0

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.39, 0.5, 0.51, 1.0, 1.01, 3.0]))
    def time_passes(self, seconds: float) -> None:
        """Also a stall of the bridge, of the PLC or of the line."""
        self.clock.s += seconds

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.34]), cycles=st.integers(1, 3))
    def time_passes_alive(self, seconds: float, cycles: int) -> None:
        """Line and PLC count their heartbeats; the PLC writes what it has written before."""
        for _ in range(cycles):
            self.clock.s += seconds
            self.beats += 1
            self._plc(replace(self._inputs(), heartbeat=self.beats))
            self.beat("running", self.model.product or "lid", 0)

    @precondition(lambda self: self.model.waiting)
    @rule(after_s=st.sampled_from([-0.001, 0.0, 0.001]))
    def first_deadline_comes(self, after_s: float) -> None:
        left = self.model.waiting[0].deadline + after_s - self.clock.s
        self.time_passes_alive(max(0.0, left) / 4, 4)

    def _inputs(self) -> Inputs:
        return self.model.inputs or Inputs()

    @precondition(lambda self: self.wire.holds)
    @rule(hold=st.sampled_from([True, True, False]), parts=st.integers(0, 2), unseen=st.booleans())
    def plc_sets_ack_coil(self, hold: bool, parts: int, unseen: bool) -> None:
        """It acknowledges what it has read last, perhaps not the newest."""
        self.beats += 1
        if unseen:
            self.part("OK", 0.0, 0, None, "lid")
        self._plc(replace(self._inputs(), heartbeat=self.beats, hold=hold), reads=not unseen)
        for _ in range(parts):
            self.part("OK", 0.0, 0, None, "lid")

    @precondition(lambda self: self.wire.handshakes or self.wire.halts)
    @rule(
        beats=st.sampled_from([0, 1, 1, 1]),
        ack=st.sampled_from(["offered", "offered", "same", "none", "newest", "ahead", "old"]),
        hold=st.sampled_from([False] * 5 + [True]),
        halted=st.sampled_from([False] * 5 + [True]),
        reset=st.booleans(),
        counter_reset=st.sampled_from([False, False, True]),
    )
    def plc_cycle(
        self, beats: int, ack: str, hold: bool, halted: bool, reset: bool, counter_reset: bool
    ) -> None:
        self.beats += beats
        before = self._inputs().acknowledged
        offered = self.feed.signals().inspection_id
        number = {
            "offered": offered or before, "same": before, "none": 0, "newest": self.number,
            "ahead": self.number + 2, "old": self.old_ack,
        }[ack]  # fmt: skip
        hold, halted = hold and self.wire.holds, halted and self.wire.halts
        self._plc(Inputs(self.beats, number, reset, counter_reset, hold, halted))

    @precondition(lambda self: self.wire.drives)
    @rule(
        parts=st.lists(st.tuples(st.sampled_from(GAPS_S), VERDICTS), min_size=1, max_size=4),
        state=st.sampled_from(["running", "paused"]),
        at=st.integers(18, 27),
    )
    def parts_move_to_the_gate(
        self, parts: list[tuple[float, Verdict]], state: str, at: int
    ) -> None:
        """Perhaps closer than a pulse; the line may say something else for one step."""
        for gap_s, verdict in parts:
            self.clock.s += gap_s
            self.beat("running", "lid", 0)
            self.part(verdict, 0.0, 0, None, "lid")
        for step in range(30):
            self.clock.s += 0.047
            self.beat(state if step == at else "running", "lid", 0)
            self.only_a_due_result_is_valid()

    def _plc(self, inputs: Inputs, *, reads: bool = True) -> None:
        self.model.pass_time(self.clock.s)
        if reads:
            self.wire.look()
        for received in self.wire.write(inputs):
            self.model.plc(received, self.clock.s)

    @invariant()
    def only_a_due_result_is_valid(self) -> None:
        found, model, now = self.wire.look(), self.model, self.clock.s
        assert found is not None, "a bridge is there"
        self._compare(found)
        number = found.get("inspection_id", 0)
        if not number:
            assert not found.get("valid")
            assert found.get("verdict", "NG") == "NG"
            return
        part = model.parts[number]
        assert found.get("valid", True)
        assert found["verdict"] == part.verdict != "NO_VERDICT"
        assert found["product"] == part.product
        assert found["trouble"] == 0
        assert now < part.deadline
        assert model.state == "running"
        assert model.heard is not None
        assert now - model.heard <= 2 * PERIOD_S
        assert not model.unanswered
        assert model.plc_alive(now)
        assert number > model.acknowledged()
        assert not (model.inputs and (model.inputs.hold or model.inputs.halted))
        assert number >= self.highest, "never back to an earlier part"
        self.highest = number

    def _compare(self, found: View) -> None:
        """What is due is offered, and the rest is explained."""
        expected = self._expected()
        if expected["passes"] is None:
            found.pop("passes", None)
        assert found == {name: expected[name] for name in found}
        model = self.model
        assert self.missed == model.missed
        assert self.sent == model.sent
        of_this_log = self.sent[model.sent_before :]
        assert of_this_log == sorted(set(of_this_log)), "once, in order"
        if self.wire.sends:
            assert self.wire.messages == self.messages

    def _expected(self) -> View:
        """All that any wire says."""
        model, now = self.model, self.clock.s
        model.pass_time(now)
        cause, line = model.cause(now), model.line(now)
        free = not cause and not model.hold()
        due = model.waiting[0] if free and model.waiting else None
        online = line not in (Trouble.STARTING, Trouble.LINE_SILENT)
        return {
            "online": online,
            "ready": not cause,
            "trouble": int(cause or (Trouble.NONE if model.waiting else model.of_part)),
            "valid": due is not None,
            "inspection_id": due.number if due else 0,
            "verdict": due.verdict if due else "NG",
            "product": due.product if due else "",
            "running": model.product if online else "",
            "backlog": len(model.waiting),
            "counts": model.counts,
            "passes": gpio.passes(self.at_gate, now) if not cause else False,
        }

    def teardown(self) -> None:
        self._bridge.close()
        self._patches.close()


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.__name__.lower())
def test_plc_has_an_ok_for_a_due_result_alone(wire: type[Wire]) -> None:
    machine = type("MachineOfWire", (GateMachine,), {"wire_type": wire})
    run_machine(machine, WIRES[wire], shrink=True)
