"""Commands and triggers over any sequence of writes, answers of the line, delays and restarts.

Each new value is carried out once and in time, or fails; one from before the bridge never is. The
PLC reads `done` only when the line's events name the product.
"""

from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import CHANGE, CommandAnswer
from edge.events.control_messages import SwitchRequest, TriggerRequest
from tests.support.bridge.command_bench import OFFSET_NS, CommandBench
from tests.support.bridge.command_model import LATEST_S, TABLE, Change, LineState, Trigger
from tests.support.bridge.machines import run_machine

STALL_S, STALLED_S = 0.07, 0.25
KINDS = st.sampled_from(["proper"] * 6 + ["silence", "refusal", "rubbish"])
PRODUCTS = st.sampled_from(list(TABLE.values()))
NO_UTF8 = "\udcff"
NUMBERS = {name: number for number, name in TABLE.items()}


class CommandMachine(RuleBasedStateMachine):
    """A PLC that writes, a bridge, and a line that answers when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.bench, self.ids = CommandBench(), count(100)
        self.written: tuple[int, int] = (0, 0)
        self.trigger_written: tuple[int, int, str | None] = (0, 0, None)
        self._forget()

    def _forget(self) -> None:
        """What a bridge knows when it starts."""
        self.command_read: int | None = None
        self.trigger_read: int | None = None
        self.change: Change | None = None
        self.trigger: Trigger | None = None
        self.last_id = 0
        self.turned, self.stalled_until = float("inf"), 0.0
        self.passed_on = dict[int, Trigger]()
        self.requested = set[str]()

    @property
    def now(self) -> float:
        return self.bench.clock.s

    @rule(write_again=st.booleans())
    def bridge_restarts(self, write_again: bool) -> None:
        """It finds what the PLC has written to the one before."""
        self.bench.restart()
        self._forget()
        if write_again:
            self.plc_writes_the_same_again()

    @rule()
    def plc_writes_the_same_again(self) -> None:
        self._write_command(*self.written)
        self._write_trigger(*self.trigger_written)

    @rule(command=st.sampled_from([0, 0, 1, 3, 3, 3, 99]), number=st.sampled_from([0, 1, 2, 3, 9]))
    def plc_writes_a_command(self, command: int, number: int) -> None:
        self._write_command(command, number)

    def _write_command(self, command: int, number: int) -> None:
        self.written = command, number
        self.bench.command.set_command(command, number)
        before, self.command_read = self.command_read, command
        if command == before:
            return
        self.change = None
        if command == CHANGE:
            fresh = before is not None
            self.change = self.bench.change_model.begin(number, fresh=fresh)
            self.requested |= {TABLE[number]} if fresh and number in TABLE else set()

    @rule(
        which=st.sampled_from(["new", "new", "new", "new", "none", "same", "last"]),
        encoder=st.integers(-5, 5),
        part_id=st.sampled_from([None, "A-7", "A-7", NO_UTF8]),
        seen_s_ago=st.sampled_from([None, None, 0.01, 0.04, 0.2]),
    )
    def plc_writes_a_trigger(
        self, which: str, encoder: int, part_id: str | None, seen_s_ago: float | None
    ) -> None:
        known = {"none": 0, "same": self.trigger_written[0], "last": self.last_id}
        number = known[which] if which in known else next(self.ids)
        since_s = None if seen_s_ago is None else self.now - seen_s_ago
        if which == "last":
            self._write_trigger(0, 0, None)
        self._write_trigger(number, encoder, part_id, since_s)

    def _write_trigger(
        self, number: int, encoder: int, part_id: str | None, since_s: float | None = None
    ) -> None:
        self.trigger_written = number, encoder, part_id
        before, self.trigger_read = self.trigger_read, number
        assert self.bench.command.is_new_trigger(number) == (number != before)
        self.bench.command.set_trigger(number, encoder, part_id, since_s)
        if number != before:
            until = (self.now if since_s is None else since_s) + LATEST_S
            made = Trigger(number, encoder, part_id, until)
            self.trigger = made if number else None
            if number:
                self._begin(made, first=before is None)

    def _begin(self, made: Trigger, *, first: bool) -> None:
        if made.part_id == NO_UTF8:
            made.fail(Failure.REFUSED)
        elif first:
            made.fail(Failure.STALE)
        elif self.now - self.turned > STALL_S or self.now < self.stalled_until:
            made.fail(Failure.TOO_LATE)
        elif made.id == self.last_id:
            made.fail(Failure.REPEATED)
        else:
            self.last_id = made.id
            self.bench.trigger_model.queue.append(made)
            self.passed_on[made.id] = made

    @rule(seconds=st.sampled_from([0.01, 0.02, 0.04, 0.06, 0.3, 1.1, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.bench.clock.s += seconds

    @rule()
    def loop_turns(self) -> None:
        """The loop that reads the PLC; it was held up if the last turn is long ago."""
        self.bench.command.stall.mark_turn()
        if self.now - self.turned > STALL_S:
            self.stalled_until = self.now + STALLED_S
        self.turned = self.now

    @rule(
        seconds=st.sampled_from([0.06, 0.3, 1.1]),
        kinds=st.lists(KINDS, max_size=4),
        again=st.booleans(),
    )
    def triggers_are_answered(self, seconds: float, kinds: list[str], again: bool) -> None:
        """One after another, while the loop turns as it should."""
        steps = round(seconds / 0.02)
        for _ in range(steps):
            self.bench.clock.s += seconds / steps
            if self.turned < float("inf"):
                self.loop_turns()
        for kind in kinds:
            if self.bench.trigger_line.pending is None:
                self.plc_writes_a_trigger("new", 7, "A-7", None)
                self.plc_reads_what_became_of_its_commands()
            if self.bench.trigger_line.pending is not None:
                self.line_answers_trigger(kind, 0.0, 0)
                self.plc_reads_what_became_of_its_commands()
        if again:
            self.plc_writes_a_trigger("last", 7, "A-7", None)

    @rule(
        number=st.sampled_from([1, 2, 3]),
        kinds=st.lists(st.sampled_from(["proper"] * 6 + ["silence", "end", "wait"]), max_size=6),
    )
    def change_is_answered(self, number: int, kinds: list[str]) -> None:
        self.plc_writes_a_command(0, 0)
        self.plc_writes_a_command(CHANGE, number)
        for kind in kinds:
            self.plc_reads_what_became_of_its_commands()
            if kind == "end":
                self.line_ends_its_change(True)
            elif kind == "wait":
                self.bench.clock.s += 6
            elif self.bench.change_line.pending is not None:
                self.bench.answer_change(kind)

    @precondition(lambda self: self.bench.trigger_line.pending is not None)
    @rule(kind=KINDS, lag_s=st.sampled_from([0.0, 0.02]), slow_s=st.sampled_from([0, 0, 0.03, 0.3]))
    def line_answers_trigger(self, kind: str, lag_s: float, slow_s: float) -> None:
        self.bench.clock.s += slow_s
        self.bench.answer_trigger(kind, lag_s)

    @precondition(lambda self: isinstance(self.bench.trigger_line.pending, TriggerRequest))
    @rule()
    def line_answers_another_trigger(self) -> None:
        self.bench.answer_trigger("other")

    @precondition(lambda self: self.bench.change_line.pending is not None)
    @rule(kind=KINDS)
    def line_answers_change(self, kind: str) -> None:
        self.bench.answer_change(kind)

    @rule(succeeds=st.sampled_from([True, True, False]))
    def line_ends_its_change(self, succeeds: bool) -> None:
        line = self.bench.line
        if line.state == "loading":
            line.state = "done" if succeeds else "failed"
            line.product = line.changing_to if succeeds else line.product

    @rule(product=PRODUCTS, loading=st.booleans())
    def somebody_else_changes_or_restarts_the_line(self, product: str, loading: bool) -> None:
        now = self.bench.line.product
        self.bench.line = LineState(now, "loading", product) if loading else LineState()

    @rule(product=st.one_of(st.just(""), PRODUCTS), follow=st.booleans())
    def events_name(self, product: str, follow: bool) -> None:
        """Empty: the line is silent."""
        self.bench.running = self.bench.line.product if follow else product

    @invariant()
    def plc_reads_what_became_of_its_commands(self) -> None:
        self.bench.trigger_model.turn(self.now)
        self.bench.change_model.turn(self.bench.running, self.now)
        change, seen, given = self.change, self.trigger_read or 0, self.bench.trigger_model.given
        failure = self.trigger.failure if self.trigger else Failure.NONE
        self.bench.settle(
            CommandAnswer(
                NUMBERS,
                under_way=self.bench.change_model.under_way,
                done=change is not None and change.state == "done",
                failure=change.failure if change else Failure.NONE,
                given=0 if failure and given == seen else given,
                seen=seen,
                trigger_failure=failure,
            )
        )

    @invariant()
    def line_is_asked_once_for_each_new_command(self) -> None:
        triggers = [one for one in self.bench.trigger_line.asked if isinstance(one, TriggerRequest)]
        assert len({one.trigger_id for one in triggers}) == len(triggers), "none twice"
        for one in triggers:
            trigger = self.passed_on[one.trigger_id]
            assert (one.encoder, one.part_id) == (trigger.encoder, trigger.part_id)
            assert one.not_after is not None
            late_s = (one.not_after.ns + OFFSET_NS) / 1e9 - trigger.until
            assert -0.0201 < late_s < 0.0001, "by the line's own clock, and never later"
        changes = [one for one in self.bench.change_line.asked if isinstance(one, SwitchRequest)]
        assert {one.product for one in changes} <= self.requested

    def teardown(self) -> None:
        self.bench.close()


def test_commands_and_triggers_are_carried_out_once_in_time_or_fail() -> None:
    run_machine(CommandMachine, 100, shrink=False)
