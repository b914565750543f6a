"""The safety property of `draem combine` over any sequence of events, gaps, restarts and kills.

A part is OK only if every view said OK for this one part, once, before its deadline. Each part that
a view has sent has one verdict, however often the process is killed, and no OK overtakes a part
that a view saw before it. Real log, cursor files and writer; the clock is the test's.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.combine.control import Controls
from edge.combine.joiner import Joiner, Rules
from edge.combine.loop import Combiner
from edge.combine.memory import remembered
from edge.combine.progress import Progress
from edge.combine.receivers import Received
from edge.combine.writer import CombineWriter
from edge.events.event import Inspection, Verdict
from edge.events.journal import Journal
from edge.events.notices import Notice
from tests.support.bridge.machines import run_machine
from tests.support.combine.clock import Clock
from tests.support.combine.simulated_view import SimulatedView
from tests.support.event_log import logged
from tests.support.recorded_events import RecordedEvents

VIEWS, DEADLINE_S = ("top", "side", "end"), 1.0
VERDICTS = st.sampled_from(["OK"] * 6 + ["NG", "NO_VERDICT", None])
"""Of a view; None is a part that it never saw."""


class CombineMachine(RuleBasedStateMachine):
    """Parts on a line with three views; `received` is what each view has sent, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._opened, self._process, self.clock = ExitStack(), ExitStack(), Clock()
        self._folder = Path(self._opened.enter_context(TemporaryDirectory()))
        for name in ("edge.combine.sight.time", "edge.combine.writer.time"):
            self._opened.enter_context(patch(name, self.clock))
        self._opened.enter_context(patch("edge.combine.progress.SAVE_S", 1e9))
        self.views = {name: SimulatedView(name, self.clock) for name in VIEWS}
        self.serials = 0
        self.keys: dict[int, int] = {}  # of each physical part
        self.repeated: set[int] = set()  # ids that came again before the first was forgotten
        self.last_at: dict[int, float] = {}
        self.lost: dict[str, list[int]] = {}  # of each view, not reported yet
        self.reports_lost = False
        self.received: dict[str, list[Inspection]] = {name: [] for name in VIEWS}
        self.since_start = self.received  # by the process that runs now
        self.published_at: list[float] = []  # of each part of the joined stream
        self.sink = RecordedEvents()
        self._start()

    def _start(self) -> None:
        self.since_start = {name: [] for name in VIEWS}
        rules = Rules(VIEWS, "trigger-id", DEADLINE_S)
        journal = self._process.enter_context(Journal(self._folder, reserve_bytes=0))
        memory = remembered(self._folder, "trigger-id", DEADLINE_S)
        self.joiner = Joiner(rules, memory)
        self.progress = Progress(self._folder, VIEWS)
        writer = CombineWriter("combined", rules, journal, self.sink)
        self.combiner = Combiner(self.joiner, writer, self.progress, Controls("combined"))
        for view in self.views.values():
            view.resume(self.progress.saved.get(view.name))
        self._beat()
        if not self.progress.saved:
            self.progress.save(self.joiner.undecided)

    def _beat(self) -> None:
        for view in self.views.values():
            beat = Notice("heartbeat", "", view.heartbeat())
            self.combiner.take(Received(view.name, self.clock.s, beat))

    @initialize(reports_lost=st.booleans())
    def start(self, reports_lost: bool) -> None:
        self.reports_lost = reports_lost

    @rule()
    def kill(self) -> None:
        """What was not committed is lost; cursors are as old as their last writing."""
        self._process.close()
        self._start()

    @rule()
    def cursors_are_written(self) -> None:
        self.turn()
        self.progress.save(self.joiner.undecided)

    @rule(verdicts=st.tuples(*[VERDICTS] * 3), products=st.sampled_from(["lid"] * 9 + ["cap"]))
    def part(self, verdicts: tuple[Verdict | None, ...], products: str) -> None:
        """A part with an id of its own."""
        self._pass(self.serials + 1, verdicts, products)

    @precondition(lambda self: self.keys)
    @rule(verdicts=st.tuples(*[VERDICTS] * 3), back=st.integers(0, 3))
    def part_with_an_earlier_id(self, verdicts: tuple[Verdict | None, ...], back: int) -> None:
        """A counter that was reset, or a part that comes again."""
        key = list(self.keys.values())[-1 - min(back, len(self.keys) - 1)]
        if self.clock.s - self.last_at[key] <= 3 * DEADLINE_S:
            self.repeated.add(key)
        self._pass(key, verdicts, "lid")

    def _pass(self, key: int, verdicts: tuple[Verdict | None, ...], product: str) -> None:
        self.serials += 1
        self.keys[self.serials], self.last_at[key] = key, self.clock.s
        for view, verdict in zip(self.views.values(), verdicts, strict=True):
            if verdict is not None:
                of_view = product if view.name == "side" else "lid"
                self._report_lost(view)
                view.inspect(self.serials, key, verdict, of_view)
            else:
                self.lost.setdefault(view.name, []).append(key)

    def _report_lost(self, view: SimulatedView) -> None:
        """At a later trigger a station notices those that had no frame: NO_VERDICT, frame 0."""
        for key in self.lost.pop(view.name, []):
            if self.reports_lost and key not in self.repeated:
                view.inspect(0, key, "NO_VERDICT", "lid")

    @rule(name=st.sampled_from(VIEWS), count=st.integers(1, 4))
    def view_sends(self, name: str, count: int) -> None:
        self._receive(name, count)

    @rule()
    def all_views_send(self) -> None:
        for name in VIEWS:
            self._receive(name, 1000)
        self.turn()

    def _receive(self, name: str, count: int) -> None:
        for event in self.views[name].receive(count):
            assert isinstance(event.header, Inspection)
            self.received[name].append(event.header)
            self.since_start[name].append(event.header)
            self.combiner.take(Received(name, self.clock.s, event))

    @rule(name=st.sampled_from(VIEWS), key=st.none())
    def part_without_an_id(self, name: str, key: None) -> None:
        self.serials += 1
        self.views[name].inspect(self.serials, key, "OK", "lid")

    @rule(name=st.sampled_from(VIEWS), count=st.integers(1, 3))
    def gap(self, name: str, count: int) -> None:
        """Events of a view were deleted before they were received."""
        self.views[name].delete_next(count)

    @rule(name=st.sampled_from(VIEWS))
    def view_begins_another_log(self, name: str) -> None:
        self.views[name].begin_anew()

    @rule(seconds=st.sampled_from([0.001, 0.1, 0.5, 0.9, 0.999, 1.0, 1.001, 2.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.s += seconds

    @rule()
    def turn(self) -> None:
        self._beat()
        self.combiner.turn()
        parts, known = self.parts(), len(self.published_at)
        self.published_at += [self.clock.s] * (len(parts) - known)
        for at in range(known, len(parts)):
            if parts[at].verdict == "OK" and parts[at].trigger_id not in self.repeated:
                self._check_order(parts[at], {part.trigger_id for part in parts[:at]})

    def parts(self) -> list[Inspection]:
        return self.sink.inspections

    @invariant()
    def an_ok_is_ok_in_every_view_of_one_part_in_time(self) -> None:
        for header, at in zip(self.parts(), self.published_at, strict=True):
            assert header.views is not None
            is_ng = any(view.verdict == "NG" for view in header.views)
            assert (header.verdict == "NG") == is_ng
            if header.verdict != "OK":
                continue
            assert [view.name for view in header.views] == list(VIEWS), "one event of each view"
            found = [self._event(view.name, view.stream_id, view.seq) for view in header.views]
            assert {event.verdict for event in found} == {"OK"}
            assert {event.trigger_id for event in found} == {header.trigger_id}
            assert {event.product for event in found} == {header.product}
            assert at - min(event.captured_ns for event in found) / 1e9 < DEADLINE_S
            if header.trigger_id not in self.repeated:
                assert len({event.frame_id for event in found}) == 1, "views of two parts"

    def _event(self, name: str, stream_id: str, seq: int) -> Inspection:
        of_view = self.received[name]
        return next(e for e in of_view if (e.stream_id, e.seq) == (stream_id, seq))

    @invariant()
    def every_event_counts_once(self) -> None:
        sources = [
            (view.stream_id, view.seq)
            for header in self.parts()
            for view in header.views or []
            if view.verdict is not None
        ]
        assert len(sources) == len(set(sources))

    def _check_order(self, ok: Inspection, before: set[int | None]) -> None:
        """An OK, after these ids: no part that a view sent before it is missing.

        An id that came again too soon stands for two parts, which have no order.
        """
        for events in self.since_start.values():
            of_view = [event.trigger_id for event in events]
            earlier = of_view[: of_view.index(ok.trigger_id)]
            assert set(earlier) - {None} - self.repeated <= before, "overtaken"

    def teardown(self) -> None:
        """Each part that was received has one verdict, and what the PLC got is what the log has."""
        try:
            self.clock.s += 10
            self.all_views_send()
            self.clock.s += 10
            self.turn()
            # What was received before a kill is sent again, unless the view's log is gone too.
            sent = {e.trigger_id for events in self.since_start.values() for e in events} - {None}
            keys = [header.trigger_id for header in self.parts()]
            assert sent <= set(keys)
            for serial, key in self.keys.items():
                if list(self.keys.values()).count(key) == 1:
                    assert keys.count(key) <= 1, f"part {serial} has several verdicts"
            assert logged(self._folder) == self.sink.headers
        finally:
            self._process.close()
            self._opened.close()


def test_combine_lets_no_part_pass_that_a_view_has_not_passed() -> None:
    run_machine(CombineMachine, 120, shrink=False)
