"""A camera of any kind that fails, hangs, repeats itself, or changes: notices, codes, counters."""

import threading
import time
import weakref
from collections.abc import Callable
from itertools import count, islice
from threading import Event as StopEvent
from typing import Any

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import NO_PICTURE, Camera, CameraNotice, SettingsRefused
from edge.camera.reconnecting import MAX_HUNG, ReconnectingCamera
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.cameras import wait_for
from tests.support.scripted_camera import (
    ScriptedCamera,
    codes_until,
    fails,
    frames,
    good,
    hangs,
    picture,
    reconnecting,
    results,
    results_until,
    silent,
)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnecting after 10 to 50 ms, polling every 20 ms."""
    monkeypatch.setattr("edge.camera.outage.FIRST_WAIT_S", 0.01)
    monkeypatch.setattr("edge.camera.outage.MAX_WAIT_S", 0.05)
    monkeypatch.setattr("edge.camera.reconnecting.POLL_S", 0.02)


def test_a_failed_camera_is_replaced_by_a_new_connection() -> None:
    first, second = ScriptedCamera(fails()), ScriptedCamera(lambda: picture(7))
    with reconnecting(first, second) as camera:
        assert codes_until(camera, Code.CAMERA_BACK) == [Code.CAMERA_LOST, Code.CAMERA_BACK]
        assert next(frames(camera)).frame_id == 7, "the frame that ended the outage is judged"
        assert first.closed
        assert (camera.counters["outages"], camera.counters["reconnected"]) == (1, 1)


@pytest.mark.usefixtures("short_waits")
def test_an_outage_is_reported_once_however_often_reconnecting_fails() -> None:
    made = count()

    def connect() -> Camera:
        next(made)
        return ScriptedCamera(fails())

    with ReconnectingCamera("camera T", connect, 300) as camera:
        found = list(results(camera, 0.5))
    assert [result.code for result in found] == [Code.CAMERA_LOST]
    assert camera.counters["outages"] == 1
    assert next(made) > 3


def test_a_read_that_hangs_is_abandoned_and_its_camera_closed_when_it_returns() -> None:
    until = StopEvent()
    hung = ScriptedCamera(lambda: picture(1), hangs(until))
    with reconnecting(hung, ScriptedCamera()) as camera:
        assert codes_until(camera, Code.CAMERA_BACK) == [Code.CAMERA_SILENT, Code.CAMERA_BACK]
        assert not hung.closed
        until.set()
    wait_for(lambda: hung.closed)


@pytest.mark.usefixtures("short_waits")
def test_the_number_of_reads_that_hang_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.reconnecting.FIRST_FRAME_S", 0.05)
    monkeypatch.setattr("edge.camera.reconnecting.MAX_FIRST_FRAME_S", 0.05)
    until, made = StopEvent(), []

    def connect() -> Camera:
        made.append(ScriptedCamera(hangs(until)))
        return made[-1]

    with ReconnectingCamera("camera T", connect, 50, first_frame_s=0.05) as camera:
        assert codes_until(camera, Code.CAMERA_HUNG) == [Code.CAMERA_SILENT, Code.CAMERA_HUNG]
        busy = time.thread_time()
        assert list(results(camera, 0.3)) == []
        assert time.thread_time() - busy < 0.1, "it waits, and does not burn a core"
        assert len(made) == MAX_HUNG
        until.set()
        wait_for(lambda: not list(results(camera, 0.05)) and len(made) > MAX_HUNG)


@pytest.mark.usefixtures("short_waits")
def test_a_slow_first_frame_is_allowed_twice_as_long_each_time_and_then_twice_what_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[float] = []

    def slow() -> Camera:
        limits.append(camera._first_frame_allowed_s if limits else 0.2)
        began = time.monotonic()

        def first() -> Frame:
            return silent() if time.monotonic() - began < 0.5 else good()

        return ScriptedCamera(*[first] * 100, fails())

    monkeypatch.setattr("edge.camera.reconnecting.FIRST_FRAME_S", 0.2)
    with ReconnectingCamera("camera T", slow, 200, first_frame_s=0.2) as camera:
        assert codes_until(camera, Code.CAMERA_BACK) == [Code.CAMERA_SILENT, Code.CAMERA_BACK]
        assert limits == [0.2 * 2**n for n in range(len(limits))]
        assert len(limits) > 2
        tries = len(limits)
        assert codes_until(camera, Code.CAMERA_BACK) == [Code.CAMERA_LOST, Code.CAMERA_BACK]
        assert len(limits) == tries + 1
        assert limits[-1] >= 1


def test_a_camera_whose_frames_waited_to_be_read_does_not_count_as_slow() -> None:
    """A line may wait for its subscribers for minutes after its camera was opened."""
    with ReconnectingCamera("camera T", ScriptedCamera, 100, first_frame_s=0.2) as camera:
        time.sleep(0.6)
        assert next(frames(camera)).code is Code.NONE
        assert camera._first_frame_allowed_s < 1.2


def test_repeated_frames_are_stale_from_the_first_repetition_on() -> None:
    same = picture(1)
    with reconnecting(ScriptedCamera(*[lambda: same] * 5)) as camera:
        found = [frame.code for frame in islice(frames(camera), 7)]
    assert found == [Code.NONE, *[Code.STALE] * 4, Code.NONE, Code.NONE]


def test_a_camera_that_repeats_one_frame_for_too_long_is_reconnected() -> None:
    """The new connection may begin with the same frame; each frame has its event."""
    same, made = picture(1), count()

    def connect() -> Camera:
        return ScriptedCamera(*[lambda: same] * (5 if next(made) else 500))

    with ReconnectingCamera("camera T", connect, 300) as camera:
        found = results_until(camera, Code.CAMERA_BACK)
        found += islice(results(camera), 10)
        found += camera.unfinished()
    assert next(made) == 2, "the second connection stays"
    assert [n.code for n in found if isinstance(n, CameraNotice)] == [Code.STALE, Code.CAMERA_BACK]
    came = [frame for frame in found if isinstance(frame, Frame)]
    assert camera.counters["stale"] == sum(f.code is Code.STALE for f in came) > 3
    assert abs(camera.counters["received"] - len(came)) <= 1, "one may be on its way at the end"


def test_a_single_repetition_between_slow_triggers_is_no_outage() -> None:
    same = picture(1)
    slow = ScriptedCamera(lambda: same, lambda: time.sleep(1.2) or same)  # type: ignore[func-returns-value]
    with reconnecting(slow, deadline_ms=None) as camera:
        found = [result.code for result in islice(results(camera), 4)]
    assert found == [Code.NONE, Code.STALE, Code.NONE, Code.NONE]


def test_frames_of_another_size_have_a_code_and_end_no_outage() -> None:
    first = ScriptedCamera(lambda: picture(1), fails())
    other = ScriptedCamera(*[lambda i=i: picture(i, side=9) for i in range(2, 5)])
    with reconnecting(first, other) as camera:
        expected = [Code.CAMERA_LOST, *[Code.FORMAT_CHANGED] * 3, Code.CAMERA_BACK]
        assert codes_until(camera, Code.CAMERA_BACK) == expected
    assert camera.counters["wrong_format"] == 3


def test_incomplete_frames_are_counted_and_end_no_outage() -> None:
    empty = Frame(NO_PICTURE, 0, 0, code=Code.INCOMPLETE)
    broken = [lambda: picture(5, code=Code.INCOMPLETE), lambda: empty]
    with reconnecting(ScriptedCamera(fails()), ScriptedCamera(*broken)) as camera:
        expected = [Code.CAMERA_LOST, Code.INCOMPLETE, Code.INCOMPLETE, Code.CAMERA_BACK]
        assert codes_until(camera, Code.CAMERA_BACK) == expected
    assert camera.counters["incomplete"] == 2


def test_settings_refused_when_reconnecting_are_reported_and_the_camera_is_let_go() -> None:
    """A reference to the camera object would keep the device busy for the next connection."""
    held: list[weakref.ref[ScriptedCamera]] = []

    def refuse() -> Camera:
        device = ScriptedCamera()
        held.append(weakref.ref(device))
        raise SettingsRefused("the camera keeps gain 3, and 1 was asked")

    connects: list[Callable[[], Camera]] = [lambda: ScriptedCamera(fails()), refuse, ScriptedCamera]
    with ReconnectingCamera("camera T", lambda: connects.pop(0)(), 300) as camera:
        found = results_until(camera, Code.CAMERA_BACK)
        expected = [Code.CAMERA_LOST, Code.CAMERA_SETTINGS, Code.CAMERA_BACK]
        assert [notice.code for notice in found] == expected
        assert held[0]() is None


def test_a_camera_that_is_missing_at_the_start_is_an_error() -> None:
    def connect() -> Camera:
        raise CameraError("no such camera")

    with pytest.raises(CameraError, match="no such camera"):
        ReconnectingCamera("camera T", connect, 300)


@pytest.mark.parametrize("where", ["connect", "read"])
def test_a_programming_error_is_raised(where: str) -> None:
    def bug() -> Frame:
        raise ZeroDivisionError("bug")

    connect: Any = bug if where == "connect" else lambda: ScriptedCamera(bug)
    with pytest.raises(ZeroDivisionError):
        next(results(ReconnectingCamera("camera T", connect, 300)))


def test_its_threads_end_with_it() -> None:
    before = set(threading.enumerate())
    with reconnecting(ScriptedCamera(*[fails()] * 3), ScriptedCamera()) as camera:
        codes_until(camera, Code.CAMERA_BACK)
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_images_are_equal_only_where_all_bytes_are() -> None:
    """The comparison looks at every 64th row first."""
    image = np.random.default_rng(1).integers(0, 255, (200, 8), np.uint8)
    other = image.copy()
    other[101, 5] ^= 1
    same = [Frame(i, 1, 0) for i in (image, image.copy(), other)]
    with reconnecting(ScriptedCamera(*[lambda f=f: f for f in same])) as camera:
        found = [frame.code for frame in islice(frames(camera), 3)]
    assert found == [Code.NONE, Code.STALE, Code.NONE]
