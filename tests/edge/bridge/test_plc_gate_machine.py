"""The safety property of feed and gate over any sequence of events, checked after each of them.

Only a due result is valid: an OK or NG of this log that came before its deadline, in order, not
acknowledged, not withdrawn, while line and PLC are alive. And what is due is offered.
"""

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.bridge import feed as feed_module
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Mode, Rules
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
)
from tests.support.bridge.machines import run_machine

VERDICTS = st.sampled_from(["OK", "OK", "NG", "NO_VERDICT"])
PRODUCTS = st.sampled_from(["lid", "cap"])
NOTICES = st.sampled_from(["gone", "skipped", "unanswered", "answered", "repeat", "gap", "stale"])
AGES_S = st.sampled_from([0.0, 0.0, 0.1, 0.6, 0.99, 1.0, 1.04, 3.0])
AHEAD_S = st.sampled_from([None, None, 0.0, 0.04, 0.04, 0.2, -0.3])
"""How far the clock of another machine is ahead; None is a station on this machine."""
SKEW_S = 0.05


class GateMachine(RuleBasedStateMachine):
    """A line, a bridge and a PLC; `model` is what this bridge has received."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self._patches = ExitStack()
        for name in ("time", "datetime"):
            self._patches.enter_context(patch.object(feed_module, name, self.clock))
        self.number = self.highest = self.beats = self.old_ack = 0
        self._bridge = ExitStack()

    @initialize(
        mode=st.sampled_from(["free-running", "dequeue"]), silent_s=st.sampled_from([0.5, 0.5, 0])
    )
    def start(self, mode: Mode, silent_s: float) -> None:
        self.handover = Rules(mode, DEADLINE_S, BUFFER, silent_s)
        self.bridge_starts()
        self.time_passes_alive(0.01, 2)

    @rule()
    def bridge_starts(self) -> None:
        """A killed bridge knows nothing of before; the PLC goes on."""
        self._bridge.close()
        self.model = Model(self.handover.mode, self.handover.plc_silent_s)
        self.sent, self.missed = list[int](), list[tuple[int, str]]()
        self.highest, self.script = 0, Script()
        self.feed = Feed(Gate(self.handover), self.script.source, self._send, self._miss)
        self._bridge.callback(self.feed.close)
        self._bridge.callback(self.script.end)

    def _send(self, inspection: Inspection) -> None:
        self.sent.append(inspection.inspection_id)

    def _miss(self, missed: Missed) -> None:
        self.missed.append((missed.inspection.inspection_id, missed.why))

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
        self.model.part(Part(number, verdict, product, deadline), self.clock.s)
        self.script.part(number, verdict, product, captured, machine)

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
            self._plc(replace(self.model.inputs or Inputs(), heartbeat=self.beats))
            self.beat("running", self.model.product or "lid", 0)

    @precondition(lambda self: self.model.waiting)
    @rule(after_s=st.sampled_from([-0.001, 0.0, 0.001]))
    def first_deadline_comes(self, after_s: float) -> None:
        left = self.model.waiting[0].deadline + after_s - self.clock.s
        self.time_passes_alive(max(0.0, left) / 4, 4)

    @rule(hold=st.booleans())
    def plc_sets_ack_coil(self, hold: bool) -> None:
        self.beats += 1
        self._plc(replace(self.model.inputs or Inputs(), heartbeat=self.beats, hold=hold))

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
        before = self.model.inputs.acknowledged if self.model.inputs else 0
        offered = self.feed.signals().inspection_id
        number = {
            "offered": offered or before, "same": before, "none": 0, "newest": self.number,
            "ahead": self.number + 2, "old": self.old_ack,
        }[ack]  # fmt: skip
        inputs = Inputs(self.beats, number, reset, counter_reset, hold, halted)
        self._plc(inputs)

    def _plc(self, inputs: Inputs) -> None:
        self.model.pass_time(self.clock.s)
        self.feed.signals()  # the PLC reads before it writes
        self.feed.plc(inputs)
        self.model.plc(inputs, self.clock.s)

    @invariant()
    def only_a_due_result_is_valid(self) -> None:
        found, model, now = self.feed.signals(), self.model, self.clock.s
        assert found.inspection_id == (found.result.inspection_id if found.result else 0)
        if not found.results_valid:
            assert (found.verdict, found.result) == ("NG", None)
            return
        assert found.result is not None
        number, part = found.inspection_id, model.parts[found.inspection_id]
        assert found.verdict == found.result.verdict == part.verdict != "NO_VERDICT"
        assert found.result.product == part.product
        assert found.trouble is Trouble.NONE
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

    @invariant()
    def what_is_due_is_offered_and_the_rest_is_explained(self) -> None:
        model, now = self.model, self.clock.s
        found = self.feed.signals()
        model.pass_time(now)
        cause = model.cause(now)
        assert found.trouble is (cause or (Trouble.NONE if model.waiting else model.of_part))
        free = not cause and not model.hold()
        due = model.waiting[0].number if free and model.waiting else 0
        assert found.inspection_id == due
        assert found.backlog == len(model.waiting)
        assert found.counts == model.counts
        assert self.missed == model.missed
        assert self.sent == model.sent
        of_this_log = self.sent[model.sent_before :]
        assert of_this_log == sorted(set(of_this_log)), "once, in order"
        line = model.line(now)
        assert found.online == (line not in (Trouble.STARTING, Trouble.LINE_SILENT))
        assert found.ready == (not cause)
        assert found.running == (model.product if found.online else "")

    def teardown(self) -> None:
        self._bridge.close()
        self._patches.close()


def test_only_a_due_result_is_ever_valid() -> None:
    run_machine(GateMachine, 150, shrink=True)
