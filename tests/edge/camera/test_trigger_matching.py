"""Which frame belongs to which trigger, on a clock that only the tests move."""

import numpy as np
import pytest

from edge.camera.trigger_matching import MAX_WAITING, Trigger, TriggerMatcher
from edge.events.codes import Code
from edge.vision.frame import Frame


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def matcher(clock: Clock) -> TriggerMatcher:
    """With a deadline of 100 ms."""
    return TriggerMatcher(100, clock)


def at(ns: int) -> Frame:
    return Frame(np.ones((2, 2), np.uint8), 1, ns)


def ended(matcher: TriggerMatcher) -> list[tuple[int | None, Code]]:
    return [(frame.trigger_id, frame.code) for frame in iter(matcher.next_ended, None)]


def test_only_a_frame_taken_after_the_trigger_matches(
    matcher: TriggerMatcher, clock: Clock
) -> None:
    clock.now = 1000
    assert matcher.begin(Trigger(1, 10, "a"))
    assert matcher.match(at(999)).code is Code.UNTIED
    frame = matcher.match(at(1001))
    assert (frame.trigger_id, frame.encoder, frame.part_id) == (1, 10, "a")
    assert matcher.match(at(1002)).code is Code.UNTIED, "no trigger was sent for it"


def test_a_frame_after_the_deadline_does_not_match(matcher: TriggerMatcher, clock: Clock) -> None:
    assert matcher.begin(Trigger(1))
    matcher.acknowledged(Trigger(1), 0)
    clock.now = 100_000_001
    assert matcher.match(at(100_000_001)).code is Code.UNTIED
    assert ended(matcher) == [(1, Code.TRIGGER_LOST)]
    assert matcher.needs_restart


def test_the_frame_of_a_command_that_was_acknowledged_late_does_not_match(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """Whichever thread runs first, the one that reads or the one that triggers."""
    matcher = TriggerMatcher(1000, clock)
    for number, took_ms in enumerate((49, 51)):
        sent_ns, trigger = clock.now, Trigger(number)
        assert matcher.begin(trigger)
        early = matcher.match(at(sent_ns + 60_000_000))
        assert early.code is Code.UNTIED, "it may be of a command that was sent again"
        clock.now += took_ms * 1_000_000
        matcher.acknowledged(trigger, sent_ns)
        late = matcher.match(at(sent_ns + 60_000_000))
        assert (late.trigger_id, late.code) == ((0, Code.NONE), (None, Code.UNTIED))[number]
    assert ended(matcher) == [(1, Code.OVERRUN)]
    assert matcher.needs_restart
    assert "the command of trigger 1 only after 51 ms" in caplog.text


def test_a_trigger_without_a_frame_ends_and_the_camera_must_be_restarted(
    matcher: TriggerMatcher, clock: Clock
) -> None:
    assert matcher.begin(Trigger(1))
    assert not matcher.begin(Trigger(2)), "one is in progress"
    assert matcher.next_ended() is None, "its frame may still come, and 2 ends after it"
    clock.now = 100_000_001
    assert ended(matcher) == [(1, Code.TRIGGER_LOST), (2, Code.OVERRUN)]
    assert matcher.needs_restart
    assert not matcher.begin(Trigger(3))
    matcher.needs_restart = False
    assert matcher.begin(Trigger(4))


def test_triggers_beyond_the_longest_queue_are_counted_and_logged_once_each_time(
    matcher: TriggerMatcher, caplog: pytest.LogCaptureFixture
) -> None:
    assert matcher.begin(Trigger(0)), "in progress, so that the others wait behind it"
    for first in (1, 5001):
        for number in range(first, first + MAX_WAITING + 7):
            matcher.begin(Trigger(number))
        assert f"from trigger {first + MAX_WAITING} on they are dropped" in caplog.text
        matcher.fail(Code.TRIGGER_LOST)
        found = [trigger_id for trigger_id, _ in ended(matcher)]
        assert found[-MAX_WAITING:] == list(range(first, first + MAX_WAITING))
        assert matcher.begin(Trigger(first - 1))
    assert matcher.dropped == 14
    assert len(caplog.records) == 2


def test_a_camera_that_was_just_started_takes_no_trigger_yet(
    matcher: TriggerMatcher, clock: Clock
) -> None:
    matcher.refuse_for(0.1)
    clock.now = 99_000_000
    assert not matcher.begin(Trigger(1))
    clock.now = 101_000_000
    assert matcher.begin(Trigger(2))
    assert ended(matcher) == [(1, Code.OVERRUN)]


def test_failing_an_old_trigger_does_not_end_the_one_in_progress(matcher: TriggerMatcher) -> None:
    assert matcher.begin(Trigger(2))
    assert not matcher.fail(Code.CAMERA_LOST, Trigger(1))
    assert matcher.next_ended() is None
