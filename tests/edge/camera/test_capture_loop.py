"""A whole loop over a scripted camera: the events of outages, of darkness, and of stopping."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent

import numpy as np
import pytest

from edge.camera import Camera, FrameTimeout
from edge.camera.trigger_matching import Trigger, TriggerMatcher
from edge.events.encoding import decode
from edge.events.event import AnyHeader, Fault, Inspection
from edge.events.journal import Journal
from edge.events.journal_reader import JournalReader
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.calibration import Range
from edge.vision.frame import Frame
from tests.support.minimal_station import PRODUCT, MeanEngine, calibrated_for
from tests.support.scripted_camera import (
    SEEDS,
    ScriptedCamera,
    Step,
    fails,
    hangs,
    picture,
    reconnecting,
)


class Sink:
    """The station's subscribers; a fault sets `on_fault`."""

    def __init__(self, on_fault: StopEvent | None = None) -> None:
        self._on_fault = on_fault or StopEvent()

    def send(self, parts: list[bytes]) -> None:
        if parts[0] == b"fault":
            self._on_fault.set()


def run_loop(
    folder: Path, camera: Camera, stop: StopEvent, pace: Pace, sink: Sink, product: Product
) -> None:
    with Journal(folder, "process") as journal:
        run(camera, MeanEngine(), EventWriter("s", product, journal, sink), stop, pace)


def events(folder: Path) -> list[AnyHeader]:
    with JournalReader(folder) as log:
        return [decode(message).header for message in log.page(0, 100)]


def test_triggers_in_progress_when_the_line_stops_have_their_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One waits for its picture, one was refused behind it: both are reported before `stopped`."""

    class Silent(ScriptedCamera):
        def read(self) -> Frame:
            time.sleep(0.01)
            raise FrameTimeout("none")

        def trigger(self, trigger: Trigger) -> None:
            matcher.begin(trigger)

    matcher, stop = TriggerMatcher(60_000), StopEvent()
    with reconnecting(Silent(), deadline_ms=None, matcher=matcher) as camera:
        camera.trigger(Trigger(1))
        camera.trigger(Trigger(2))
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        run_loop(tmp_path, camera, stop, Pace(True, 300), Sink(), PRODUCT)
        timer.join()
        camera.trigger(Trigger(3))  # the control socket is closed a moment later
    assert "trigger 3 came after the line had stopped" in caplog.text
    ended = [(i.trigger_id, i.code.name) for i in events(tmp_path) if isinstance(i, Inspection)]
    assert ended == [(1, "stopped"), (2, "overrun")]


def flat(gray: int) -> Step:
    return lambda: Frame(np.full((8, 8), gray, np.uint8), next(SEEDS), time.monotonic_ns())


def end() -> Frame:
    raise ZeroDivisionError("the script has ended")


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_camera_that_is_too_dark_after_an_outage_gets_no_verdict(
    tmp_path: Path, calibrated: bool
) -> None:
    """From the first frame on, until the light is back; without a calibration there is none."""
    product = calibrated_for(brightness=Range(low=50, high=255))
    if not calibrated:
        product = replace(product, calibration=None)
    first = ScriptedCamera(flat(100), flat(200), fails())
    second = ScriptedCamera(flat(10), flat(11), flat(12), flat(101), flat(201), end)
    with reconnecting(first, second) as camera, pytest.raises(ZeroDivisionError):
        run_loop(tmp_path, camera, StopEvent(), Pace(True, 300, 50), Sink(), product)
    found = events(tmp_path)
    verdicts = [(i.verdict, i.code.name) for i in found if isinstance(i, Inspection)]
    faults = [fault.code.name for fault in found if isinstance(fault, Fault)]
    assert faults == ["camera_lost", "camera_back", "internal"]
    if calibrated:
        light = [("OK", "none"), ("NG", "none")]
        assert verdicts == [*light, *[("NO_VERDICT", "brightness")] * 3, *light]
    else:
        assert verdicts == [("NO_VERDICT", "uncalibrated")] * 7


def test_a_file_whose_read_hangs_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file on a disconnected network share: the loop goes on, and can be stopped."""
    monkeypatch.setattr("edge.station.loop.FILE_MS", 300)
    until, stop = StopEvent(), StopEvent()

    class File(ScriptedCamera):
        live = False

    camera = File(lambda: picture(1), hangs(until))
    run_loop(tmp_path, camera, stop, Pace(True, 100), Sink(on_fault=stop), PRODUCT)
    until.set()
    found = events(tmp_path)
    assert {i.code.name for i in found if isinstance(i, Fault)} == {"frame_timeout"}
    assert any(isinstance(header, Inspection) for header in found)
