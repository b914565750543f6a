"""Software triggers: each one ends in one event, with its own frame or without a picture."""

from collections.abc import Callable
from itertools import islice
from threading import Event as StopEvent

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import Camera, FrameTimeout
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import MAX_DELAY_S, MAX_WAITING, Trigger, TriggerMatcher
from edge.events.event import Code
from edge.vision.frame import Frame
from tests.support.cameras import wait_for
from tests.support.scripted_camera import (
    ScriptedCamera,
    codes_until,
    fails,
    frames,
    reconnecting,
)


def lost(matcher: TriggerMatcher) -> ReconnectingCamera:
    """A camera that fails at once, and at each further connection."""
    return reconnecting(ScriptedCamera(fails()), ScriptedCamera(*[fails()] * 99), matcher=matcher)


class SlowCommand(ScriptedCamera):
    """A camera that takes its time over a command, or waits for `until`."""

    def __init__(self, until: StopEvent | None = None) -> None:
        super().__init__()
        self._until = until or StopEvent()
        self._wait_s = 5 if until else 2 * MAX_DELAY_S

    def trigger(self, trigger: Trigger) -> None:
        self._until.wait(self._wait_s)


def test_a_trigger_of_a_lost_camera_ends_without_a_picture() -> None:
    with lost(TriggerMatcher(100)) as camera:
        assert codes_until(camera, Code.CAMERA_LOST)
        camera.trigger(Trigger(7, 700, "p"))
        frame = next(frames(camera))
        assert (frame.trigger_id, frame.encoder, frame.part_id) == (7, 700, "p")
        assert (frame.code, frame.image.size) == (Code.CAMERA_LOST, 0)


def test_a_trigger_in_progress_ends_when_the_camera_is_lost() -> None:
    matcher = TriggerMatcher(60_000)
    assert matcher.begin(Trigger(5))
    with lost(matcher) as camera:
        assert codes_until(camera, Code.CAMERA_LOST)
        frame = next(frames(camera))
        assert (frame.trigger_id, frame.code) == (5, Code.CAMERA_LOST)


def test_a_trigger_ends_at_once_while_the_camera_is_being_connected() -> None:
    """Connecting to a camera that hangs takes seconds; the part has passed by then."""
    until, matcher = StopEvent(), TriggerMatcher(100)

    def slow() -> Camera:
        until.wait(30)
        raise CameraError("no answer")

    connects: list[Callable[[], Camera]] = [lambda: ScriptedCamera(fails()), *[slow] * 9]
    connect = lambda: connects.pop(0)()  # noqa: E731
    with ReconnectingCamera("camera T", connect, None, matcher=matcher) as camera:
        assert codes_until(camera, Code.CAMERA_LOST)
        wait_for(lambda: no_frame(camera) and len(connects) == 8)
        camera.trigger(Trigger(7))
        frame = next(frames(camera))
        assert (frame.trigger_id, frame.code) == (7, Code.CAMERA_LOST)
        until.set()


def no_frame(camera: ReconnectingCamera) -> bool:
    with pytest.raises(FrameTimeout):
        camera.read()
    return True


def test_a_camera_that_the_program_does_not_trigger_refuses() -> None:
    with reconnecting(ScriptedCamera()) as camera:
        assert SoftwareTriggers.of(camera) is None
        with pytest.raises(CameraError, match="add trigger=software"):
            camera.trigger(Trigger(1))


def test_triggers_that_found_the_queue_full_are_counted() -> None:
    with lost(TriggerMatcher(100)) as camera:
        assert codes_until(camera, Code.CAMERA_LOST)
        for number in range(MAX_WAITING + 2):
            camera.trigger(Trigger(number))
        found = [frame.trigger_id for frame in islice(frames(camera), MAX_WAITING)]
        assert found == list(range(MAX_WAITING))
        assert camera.counters["triggers_dropped"] == 2


def test_no_picture_is_taken_for_a_part_that_has_passed() -> None:
    matcher = TriggerMatcher(1000)
    with reconnecting(SlowCommand(), matcher=matcher) as camera:
        triggers = SoftwareTriggers.of(camera)
        assert triggers is not None
        with triggers:
            triggers.submit(Trigger(1))
            triggers.submit(Trigger(2, part_id="late"))
            wait_for(lambda: getattr(matcher.next_ended(), "part_id", "") == "late")
            triggers.reject_late(Trigger(3))
            wait_for(lambda: getattr(matcher.next_ended(), "trigger_id", 0) == 3)


def test_triggers_that_still_wait_at_the_end_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    until, matcher = StopEvent(), TriggerMatcher(1000)
    with (
        reconnecting(SlowCommand(until), matcher=matcher) as camera,
        SoftwareTriggers(camera.trigger, matcher) as triggers,
    ):
        triggers.submit(Trigger(1))
        triggers.submit(Trigger(2))
    until.set()
    assert "trigger 2 was not sent any more" in caplog.text


def test_a_failed_command_ends_its_trigger_and_the_next_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    matcher = TriggerMatcher(1000)

    def fail(trigger: Trigger) -> None:
        raise CameraError("no such command")

    with SoftwareTriggers(fail, matcher) as triggers:
        triggers.submit(Trigger(1))
        triggers.submit(Trigger(2))
        wait_for(lambda: len(matcher._ended) == 2)
    assert [frame.trigger_id for frame in iter(matcher.next_ended, None)] == [1, 2]
    assert "trigger 2 could not be sent" in caplog.text


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
