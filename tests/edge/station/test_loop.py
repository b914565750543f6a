"""The loop with a real engine: every frame, trigger and error has its event."""

import time
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent
from threading import Timer

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge.base.closeable import Closeable
from edge.base.errors import CameraError, EngineError, EngineLost
from edge.camera import EndOfStream, FrameTimeout
from edge.camera.open import open_camera
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import Inference, openvino, runtimes
from edge.events.event import Fault, Inspection, Status
from edge.station.inspector import Inspector, Stopwatch
from edge.station.loop import Pace, run
from edge.vision.fit import Fit
from edge.vision.frame import Frame
from edge.vision.image_files import Image
from tests.conftest import Plant, write_parts
from tests.support.minimal_station import FakeCamera
from tests.support.recorded_events import ImageCamera, RecordedEvents, StepCamera


def events_of(calibrated: Plant, images: list[Image]) -> list[Inspection]:
    """The inspections that the loop writes for these pictures."""
    product = calibrated.product
    with runtimes.load(product) as engine, RecordedEvents() as recorded:
        camera, pace = ImageCamera(images), Pace(triggered=False, deadline_ms=5000)
        run(camera, engine, recorded.writer(product), StopEvent(), pace)
        return recorded.inspections


def test_a_frame_without_a_good_part_is_never_ok(calibrated: Plant, tmp_path: Path) -> None:
    """Lamp off, half the light, lens covered, out of focus, no part, a frame too small."""

    line = PartRenderer("moulded", 21)
    pictures = [line.part(0).image, line.part(0, empty=True).image]
    good, empty = (np.asarray(cv2.resize(p, (320, 240)), np.uint8) for p in pictures)
    covered = np.full_like(good, 20)
    blurred = np.asarray(cv2.GaussianBlur(good, (0, 0), 12), np.uint8)
    images = [good, good // 20, good // 2, covered, blurred, empty]
    events = events_of(calibrated, images)
    assert events[0].verdict == "OK", events[0]
    assert len(events) == 6, "every picture has its event"
    assert all(e.verdict != "OK" for e in events[1:]), [(e.verdict, e.score) for e in events]
    assert events[1].code.name == "brightness"
    assert events[3].code.name in ("brightness", "contrast")


def test_an_engine_that_returns_nan_or_fails_gives_no_verdict(calibrated: Plant) -> None:
    """A stand-in for an engine with damaged weights."""

    class Bad:
        def infer(self, batch):  # type: ignore[no-untyped-def]
            if batch.max() == 0:
                raise EngineError("the device is lost")
            return Inference(np.full(1, np.nan, np.float32), np.zeros((1, 64, 64), np.float32))

    inspector = Inspector(Bad(), calibrated.product)  # type: ignore[arg-type]
    for level, code in ((0, "ENGINE"), (90, "NOT_FINITE")):
        frame = Frame(np.full((240, 320, 3), level, np.uint8), 1, 0)
        judgement = inspector.inspect(frame, Stopwatch()).judgement
        assert (judgement.verdict, judgement.code.name) == ("NO_VERDICT", code)
    assert Fit(64, 64) == calibrated.product.fit


def test_a_lost_engine_ends_the_line_after_the_event_of_its_frame(calibrated: Plant) -> None:
    """A process that holds a lost GPU cannot use it again; a new process may."""

    class Lost(Closeable):
        def infer(self, batch):  # type: ignore[no-untyped-def]
            raise EngineLost("the GPU has failed: restart the program")

    pace, product = Pace(triggered=True, deadline_ms=1000), calibrated.product
    with RecordedEvents() as recorded, pytest.raises(EngineLost):
        run(StepCamera(blank), Lost(), recorded.writer(product), StopEvent(), pace)
    assert [h.kind for h in recorded.headers] == ["status", "inspection", "fault", "status"]
    header = recorded.inspections[0]
    assert (header.verdict, header.code.name) == ("NO_VERDICT", "engine")
    fault = recorded.headers[2]
    assert isinstance(fault, Fault)
    assert fault.code.name == "engine"
    assert "restart the program" in fault.message


def test_nan_weights_never_give_ok(calibrated: Plant, tmp_path: Path) -> None:
    """With a compiled network: a NaN in the weights reaches the score."""

    proto = onnx.load(str(calibrated.product.model_path))
    for i, weight in enumerate(proto.graph.initializer):
        if weight.data_type == onnx.TensorProto.FLOAT16 and len(weight.dims) == 4:
            spoiled = numpy_helper.to_array(weight).copy()
            spoiled[:] = np.nan
            proto.graph.initializer[i].CopyFrom(numpy_helper.from_array(spoiled, weight.name))
    spoiled_product = replace(calibrated.product, path=tmp_path)
    onnx.save_model(proto, str(tmp_path / "model.onnx"))
    plan = openvino.compile_plan(spoiled_product)
    good = write_parts(tmp_path / "good", 1, seed=1)[0]
    image = cv2.imread(str(good))
    assert image is not None
    with openvino.OpenVinoEngine(plan, (64, 64)) as engine:
        frame = Frame(np.asarray(image, np.uint8), 1, 0)
        judgement = Inspector(engine, calibrated.product).inspect(frame, Stopwatch()).judgement
    assert (judgement.verdict, judgement.code.name) == ("NO_VERDICT", "NOT_FINITE")


def test_an_unreadable_file_has_an_event(calibrated: Plant, tmp_path: Path) -> None:

    paths = write_parts(tmp_path / "images", 3, seed=1)
    paths[1].write_bytes(b"broken")
    product = calibrated.product
    with (
        runtimes.load(product) as engine,
        open_camera(str(tmp_path / "images"), triggered=True) as camera,
        RecordedEvents() as recorded,
    ):
        pace = Pace(triggered=True, deadline_ms=5000)
        counts = run(camera, engine, recorded.writer(product), StopEvent(), pace)
    headers = recorded.inspections
    assert [h.trigger_id for h in headers] == [1, 2, 3]
    assert headers[1].code.name == "frame_unreadable"
    assert headers[1].verdict == "NO_VERDICT"
    assert sum(counts.values()) == 3


def test_silence_of_a_free_running_camera_is_a_fault(calibrated: Plant) -> None:
    class Silent(FakeCamera):
        live = True

        def __init__(self) -> None:
            self.stop = StopEvent()

        def read(self) -> Frame:
            self.stop.wait(0.05)
            raise FrameTimeout("nothing")

    class Three(RecordedEvents):
        def send(self, parts: list[bytes]) -> None:
            super().send(parts)
            if len(self.headers) == 3:
                stop.set()

    stop, product = StopEvent(), calibrated.product
    with runtimes.load(product) as engine, Three() as recorded:
        run(Silent(), engine, recorded.writer(product), stop, Pace(False, 120))
        sent = recorded.headers
    assert [h.kind for h in sent] == ["status", "fault", "fault", "status"]
    assert isinstance(sent[1], Fault)
    assert sent[1].code.name == "frame_timeout"


def blank(number: int) -> Frame:
    return Frame(np.full((240, 320, 3), 90, np.uint8), number, time.monotonic_ns(), number)


def test_every_trigger_has_its_event_also_during_the_stop(calibrated: Plant) -> None:
    """The third trigger is being read while the line stops."""
    stop, late, product = StopEvent(), StopEvent(), calibrated.product

    def step(number: int) -> Frame:
        if number == 3:
            late.wait(5)
        if number > 3:
            raise EndOfStream("over")
        return blank(number)

    with runtimes.load(product) as engine, RecordedEvents() as recorded:
        pace = Pace(triggered=True, deadline_ms=1000, backlog=10)
        Timer(0.5, stop.set).start()
        Timer(0.7, late.set).start()
        run(StepCamera(step), engine, recorded.writer(product), stop, pace)
    assert [e.trigger_id for e in recorded.inspections] == [1, 2, 3]
    assert recorded.inspections[2].code.name == "stopped"
    assert recorded.inspections[2].verdict == "NO_VERDICT"
    last = recorded.headers[-1]
    assert isinstance(last, Status)
    assert last.state == "stopped"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CameraError("cut"), "camera"),
        (ZeroDivisionError("bug"), "internal"),
        (OSError(28, "full"), "internal"),
    ],
)
def test_every_error_that_ends_the_line_is_a_fault_event(
    calibrated: Plant, error: Exception, code: str
) -> None:
    def step(number: int) -> Frame:
        if number == 2:
            raise error
        return blank(number)

    product = calibrated.product
    with runtimes.load(product) as engine, RecordedEvents() as recorded:
        pace = Pace(triggered=True, deadline_ms=1000)
        with pytest.raises(type(error)):
            run(
                StepCamera(step),
                engine,
                recorded.writer(product),
                StopEvent(),
                pace,
            )
    assert [h.kind for h in recorded.headers] == ["status", "inspection", "fault", "status"]
    fault = recorded.headers[2]
    assert isinstance(fault, Fault)
    assert fault.code.name == code


def test_reads_that_time_out_at_once_do_not_use_a_whole_core(calibrated: Plant) -> None:
    def step(number: int) -> Frame:
        raise FrameTimeout("nothing")

    camera, stop, product = StepCamera(step), StopEvent(), calibrated.product
    with runtimes.load(product) as engine, RecordedEvents() as recorded:
        Timer(0.6, stop.set).start()
        run(camera, engine, recorded.writer(product), stop, Pace(False, 200))
    assert camera.reads < 20
    assert any(isinstance(h, Fault) for h in recorded.headers)
