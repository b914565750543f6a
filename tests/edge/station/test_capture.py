"""The slot: latest frame when free-running, every trigger told when triggered."""

import time
from threading import Event as StopEvent
from threading import Thread

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import EndOfStream, FrameTimeout
from edge.camera.capture import CaptureEnded, FrameQueue, capturing
from edge.events.event import Code
from edge.vision.frame import Frame
from tests.support.minimal_station import FakeCamera

BLANK = np.zeros((32, 32, 3), np.uint8)


def frame(number: int) -> Frame:
    return Frame(BLANK, number, time.monotonic_ns(), trigger_id=number)


def test_free_running_keeps_the_latest_and_counts_the_rest() -> None:
    slot = FrameQueue(live=True, backlog=0)
    for number in range(1, 6):
        slot.put(frame(number), StopEvent())
    taken = slot.take(0)
    assert taken is not None
    assert (taken.frame.frame_id, taken.passed_over) == (5, 4)
    slot.put(frame(6), StopEvent())
    again = slot.take(0)
    assert again is not None
    assert again.passed_over == 0


def test_triggered_every_trigger_comes_out_in_order() -> None:
    slot = FrameQueue(live=True, backlog=1)
    for number in range(1, 5):
        slot.put(frame(number), StopEvent())
    taken = [t for t in (slot.take(0) for _ in range(5)) if t]
    assert [t.frame.trigger_id for t in taken] == [1, 2, 3, 4]
    assert [t.frame.code for t in taken] == [Code.NONE] + 3 * [Code.OVERRUN]
    assert taken[1].frame.image.size == 0


def test_a_backlog_holds_the_set_number_of_pictures() -> None:
    slot = FrameQueue(live=True, backlog=3)
    for number in range(1, 6):
        slot.put(frame(number), StopEvent())
    first = slot.take(0)
    slot.put(frame(6), StopEvent())
    taken = [first, *(slot.take(0) for _ in range(5))]
    codes = {t.frame.trigger_id: t.frame.code for t in taken if t}
    assert list(codes) == [1, 2, 3, 4, 5, 6]
    assert [n for n, code in codes.items() if code is Code.OVERRUN] == [4, 5]


def test_a_source_that_is_not_live_waits_for_the_loop() -> None:
    slot, stop = FrameQueue(live=False, backlog=0), StopEvent()

    def feed() -> None:
        for number in range(50):
            slot.put(frame(number), stop)

    thread = Thread(target=feed)
    thread.start()
    taken = [slot.take(2000) for _ in range(50)]
    thread.join(5)
    assert [t.frame.frame_id for t in taken if t] == list(range(50))
    assert all(t.passed_over == 0 for t in taken if t)


class Scripted(FakeCamera):
    """A camera whose reads are written down beforehand."""

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
    with capturing(camera, StopEvent(), 1) as slot:
        first = slot.take(2000)
        assert first is not None
        assert first.frame.frame_id == 1
        with pytest.raises(CaptureEnded):
            slot.take(2000)


def test_a_missing_frame_is_waited_for_and_a_dead_camera_raises() -> None:
    camera = Scripted(FrameTimeout("late"), frame(1), CameraError("the cable is cut"))
    with capturing(camera, StopEvent(), 1) as slot:
        assert slot.take(2000) is not None
        with pytest.raises(CameraError, match="cable"):
            slot.take(2000)


def test_a_programming_error_in_the_thread_is_not_lost() -> None:
    camera = Scripted(ZeroDivisionError("bug"))
    with capturing(camera, StopEvent(), 0) as slot, pytest.raises(ZeroDivisionError):
        slot.take(2000)
