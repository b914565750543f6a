"""Software triggers: each one ends in one event, with its own frame or without a picture."""

from collections.abc import Callable
from itertools import islice
from threading import Event as StopEvent

import pytest

from edge.base.errors import CameraError
from edge.camera import Camera, FrameTimeout
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import MAX_DELAY_S, MAX_WAITING, Trigger, TriggerMatcher
from edge.events.codes import Code
from tests.support.cameras import wait_for
from tests.support.scripted_camera import ScriptedCamera, codes_until, fails, frames, reconnecting


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
    with ReconnectingCamera("camera T", lambda: connects.pop(0)(), None, matcher=matcher) as camera:
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
