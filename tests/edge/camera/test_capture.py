"""The capture queue: the latest frame when free-running, every trigger when triggered."""

import time
from threading import Event as StopEvent
from threading import Thread

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import NO_PICTURE, CameraNotice, EndOfStream, FrameTimeout
from edge.camera.capture import CaptureEnded, FrameQueue, capturing
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.minimal_station import FakeCamera

BLANK = np.zeros((32, 32, 3), np.uint8)


def frame(number: int) -> Frame:
    return Frame(BLANK, number, time.monotonic_ns(), trigger_id=number)


def test_free_running_keeps_the_latest_and_counts_the_rest() -> None:
    frames = FrameQueue(live=True, backlog=0)
    for number in range(1, 6):
        frames.put(frame(number), StopEvent())
    taken = frames.take(0)
    assert taken is not None
    assert (taken.frame.frame_id, taken.passed_over) == (5, 4)
    frames.put(frame(6), StopEvent())
    again = frames.take(0)
    assert again is not None
    assert again.passed_over == 0


def test_triggered_hands_over_every_trigger_in_order() -> None:
    frames = FrameQueue(live=True, backlog=1)
    for number in range(1, 5):
        frames.put(frame(number), StopEvent())
    taken = [t for t in (frames.take(0) for _ in range(5)) if t]
    assert [t.frame.trigger_id for t in taken] == [1, 2, 3, 4]
    assert [t.frame.code for t in taken] == [Code.NONE] + 3 * [Code.OVERRUN]
    assert taken[1].frame.image.size == 0


def test_a_backlog_limits_the_pictures_that_wait() -> None:
    frames = FrameQueue(live=True, backlog=3)
    for number in range(1, 6):
        frames.put(frame(number), StopEvent())
    first = frames.take(0)
    frames.put(frame(6), StopEvent())
    taken = [first, *(frames.take(0) for _ in range(5))]
    codes = {t.frame.trigger_id: t.frame.code for t in taken if t}
    assert list(codes) == [1, 2, 3, 4, 5, 6]
    assert [n for n, code in codes.items() if code is Code.OVERRUN] == [4, 5]


def test_a_source_that_is_not_live_waits_for_the_loop() -> None:
    frames, stop = FrameQueue(live=False, backlog=0), StopEvent()

    def feed() -> None:
        for number in range(50):
            frames.put(frame(number), stop)

    thread = Thread(target=feed)
    thread.start()
    taken = [frames.take(2000) for _ in range(50)]
    thread.join(5)
    assert [t.frame.frame_id for t in taken if t] == list(range(50))
    assert all(t.passed_over == 0 for t in taken if t)


def test_frames_without_a_picture_are_never_replaced() -> None:
    frames, stop = FrameQueue(live=True, backlog=0), StopEvent()
    empty = Frame(NO_PICTURE, 2, 0, code=Code.INCOMPLETE)
    for made in (frame(1), empty, frame(3), empty, frame(5)):
        frames.put(made, stop)
    taken = [t for t in (frames.take(0) for _ in range(5)) if t]
    assert [(t.frame.frame_id, t.passed_over) for t in taken] == [(2, 0), (2, 0), (5, 2)]


def test_a_notice_comes_after_the_frames_that_waited() -> None:
    frames = FrameQueue(live=True, backlog=0)
    frames.put_notice(CameraNotice(Code.CAMERA_LOST, "its cable"))
    frames.put(frame(1), StopEvent())
    frames.close()
    assert frames.take(0) is not None
    assert frames.take(0) is None, "the end is not reported before the notice"
    assert str(frames.take_notice()) == "its cable"
    assert frames.take_notice() is None
    with pytest.raises(CaptureEnded):
        frames.take(0)


class Scripted(FakeCamera):
    """A camera that returns or raises each of its steps."""

    live = True

    def __init__(self, *steps: Frame | Exception) -> None:
        self._steps = iter(steps)

    def read(self) -> Frame:
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return step


def test_the_end_of_a_stream_comes_after_its_last_frame() -> None:
    camera = Scripted(frame(1), EndOfStream("over"))
    with capturing(camera, StopEvent(), 1) as frames:
        first = frames.take(2000)
        assert first is not None
        assert first.frame.frame_id == 1
        with pytest.raises(CaptureEnded):
            frames.take(2000)


def test_a_timeout_is_no_end_and_a_camera_error_is_raised() -> None:
    camera = Scripted(FrameTimeout("late"), frame(1), CameraError("the cable is cut"))
    with capturing(camera, StopEvent(), 1) as frames:
        assert frames.take(2000) is not None
        with pytest.raises(CameraError, match="cable"):
            frames.take(2000)


def test_a_programming_error_in_the_thread_is_raised() -> None:
    camera = Scripted(ZeroDivisionError("bug"))
    with capturing(camera, StopEvent(), 0) as frames, pytest.raises(ZeroDivisionError):
        frames.take(2000)
