"""What reaches a gate, and what goes straight out, from events that are written by hand."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

import pytest

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.signals import Trouble
from edge.bridge.simulated_line import _heartbeat
from edge.events.event import AnyHeader, Event
from edge.events.notices import Notice, Notify
from tests.support.bridge.events import fault, inspection, status
from tests.support.waiting import wait_until


class Script:
    """A source that does what it is told; `feed` is over it, `sent` is what went straight out."""

    def __init__(self) -> None:
        self._steps: SimpleQueue[Notice | AnyHeader | Exception] = SimpleQueue()
        self.sent: list[int] = []
        self.done = 0
        rules = Rules("free-running", 1.0, plc_silent_s=0)
        self.feed = Feed(Gate(rules), self.source, lambda i: self.sent.append(i.inspection_id))

    def source(self, notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        while not stopped():
            if self._steps.empty():
                time.sleep(0.001)
                continue
            step = self._steps.get()
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Notice):
                notify(step)
            else:
                yield Event(step)
            self.done += 1

    def say(self, step: Notice | AnyHeader | Exception) -> None:
        """And wait until it has been dealt with."""
        before, end = self.done, time.monotonic() + 5
        self._steps.put(step)
        while self.done == before and self.feed.died is None:
            assert time.monotonic() < end
            time.sleep(0.001)

    def part(self, number: int) -> None:
        self.say(inspection(number, captured_ns=time.monotonic_ns()))


def beat() -> Notice:
    return Notice("heartbeat", "", _heartbeat(0))


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.feed.close()


def test_a_feed_that_dies_offers_nothing_more(script: Script) -> None:
    script.say(beat())
    script.part(1)
    assert script.feed.signals().results_valid
    script.say(ValueError("bug"))
    signals = script.feed.signals()
    assert isinstance(script.feed.died, ValueError)
    assert (signals.trouble, signals.results_valid) == (Trouble.LINE_SILENT, False)


def test_the_age_of_another_machines_part_is_by_the_wall_clock(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    def at(seconds: float) -> float:
        captured = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        return script.feed.age_s(inspection(1, boot_id="another", captured_at=captured))

    assert at(3) == pytest.approx(3, abs=0.5)
    assert at(-0.5) == at(-0.6) == float("inf"), "its clock is ahead: no deadline could be kept"
    assert len(caplog.messages) == 1, "one line for a state, not one for each part"


@pytest.mark.parametrize(
    "answer", [status(4), fault(4), inspection(4, "NO_VERDICT"), Notice("answered", "")]
)
def test_any_answer_of_the_log_ends_log_silent(script: Script, answer: Notice | AnyHeader) -> None:
    """A gap may hold no result at all: a PLC that waits for Ready would wait for ever."""
    script.say(beat())
    script.say(Notice("unanswered", ""))
    signals = script.feed.signals()
    assert (signals.ready, signals.trouble) == (False, Trouble.LOG_SILENT)
    script.say(answer)
    assert script.feed.signals().ready, "at once, not with the next heartbeat"


def test_results_that_a_late_answer_holds_are_sent_while_they_are_in_time(script: Script) -> None:
    script.say(beat())
    script.say(Notice("unanswered", ""))
    script.part(1)
    script.part(2)
    assert script.sent == [1, 2]


@pytest.mark.parametrize("step", [beat(), inspection(1), status(1)])
def test_events_of_another_station_end_a_feed_that_is_named(step: Notice | AnyHeader) -> None:
    """The gate of one line would act on the verdicts of another."""

    def source(notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        if isinstance(step, Notice):
            notify(step)
        else:
            yield Event(step)

    with Feed(Gate(Rules()), source, name="press-5") as feed:
        wait_until(lambda: feed.died, "the end of the feed")
        with pytest.raises(BridgeError, match="not of 'press-5': correct --station or --endpoint"):
            feed.raise_if_died()
        assert not feed.signals().online
