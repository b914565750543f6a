"""The real thing end to end: separate processes, real sockets, a real engine, events counted."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Timer

import cv2
import numpy as np
import pytest

from edge.base.closeable import Closeable
from edge.base.errors import CameraError, EngineLost
from edge.camera import EndOfStream, FrameTimeout
from edge.engine import openvino, runtimes
from edge.events.event import AnyHeader, Fault, Inspection, Status, decode
from edge.events.journal import Journal
from edge.product.product import load_product
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.frame import Frame
from edge.vision.image_files import Image
from tests.conftest import Plant, draem, write_parts
from tests.support.minimal_station import FakeCamera
from trainer.demo.score import read_events, read_truth, summarise

PORT = 5597


@contextmanager
def watching(folder: Path, endpoint: str) -> Iterator[Path]:
    """`draem watch` in a process of its own, until the line says that it has stopped."""
    path = folder / "events.jsonl"
    command = [sys.executable, "-m", "draem", "watch", "--json", "--until-stopped"]
    with path.open("w") as file:
        watcher = subprocess.Popen([*command, "--endpoint", endpoint], cwd=folder, stdout=file)
        try:
            yield path
            assert watcher.wait(20) == 0
        finally:
            watcher.kill()
            watcher.wait()


def test_train_build_calibrate_run_and_watch(tmp_path: Path) -> None:
    """The README's commands on a folder of PNGs: a tiny network, a few steps, every event."""
    write_parts(tmp_path / "good", 30, seed=0)
    write_parts(tmp_path / "new", 25, seed=4)
    train: tuple[str, ...] = (
        "train",
        "good",
        "--product",
        "lid",
        "--input",
        "64",
        "--widths",
        "8/4",
    )
    train += ("--steps", "150", "--batch", "8", "--learning-rate", "0.004")
    # The six frames set aside make no threshold to speak of: sixty more make one.
    write_parts(tmp_path / "more", 60, seed=9)
    calibrate = ("calibrate", "--product", "lid")
    more = (*calibrate, "--images", "more")
    for words in (train, ("build", "--product", "lid"), calibrate, more):
        done = draem(*words, cwd=tmp_path, timeout=200)
        assert done.returncode == 0, done.stderr
    product = load_product(tmp_path / "products", "lid")
    sources = json.loads((product.path / "sources.json").read_text())["images"]
    assert Counter(i["split"] for i in sources) == {"train": 21, "validation": 3, "calibration": 60}
    assert len({i["sha256"] for i in sources}) == 84, "no image plays two parts"
    endpoint = f"tcp://127.0.0.1:{PORT}"
    with watching(tmp_path, endpoint) as path:
        run_it = ("run", "--product", "lid", "--source", "new", "--endpoint", endpoint)
        done = draem(*run_it, "--subscribers", "1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    headers = [json.loads(row) for row in path.read_text().splitlines()]
    assert [h["seq"] for h in headers] == list(range(1, 28))
    assert [headers[0]["state"], headers[-1]["state"]] == ["running", "stopped"]
    inspections = read_events(path)
    assert [e.inspection_id for e in inspections] == list(range(1, 26))
    assert [e.part_id for e in inspections] == [f"part_{i:03d}.png" for i in range(25)]
    assert all(e.passed_over == 0 for e in inspections)
    verdicts = Counter(e.verdict for e in inspections)
    assert verdicts["OK"] >= 10, verdicts


def test_a_triggered_line_gives_every_trigger_its_event(calibrated: Plant, tmp_path: Path) -> None:
    endpoint = f"tcp://127.0.0.1:{PORT + 1}"
    truth = tmp_path / "truth.jsonl"
    source = f"line://moulded?rate=20&parts=80&defects=0.5&seed=11&truth={truth}"
    with watching(tmp_path, endpoint) as path:
        words: tuple[str, ...] = ("run", "--product", "lid", "--source", source)
        words += ("--mode", "triggered", "--backlog", "100")
        words += ("--endpoint", endpoint, "--subscribers", "1")
        done = draem(*words, cwd=calibrated.root)
        assert done.returncode == 0, done.stderr
    events = read_events(path)
    assert [e.trigger_id for e in events] == list(range(1, 81))
    assert [e.encoder for e in events] == [1000 * i for i in range(1, 81)]
    for event in events:
        assert (event.verdict == "NO_VERDICT") == (event.code.number != 0)
        if event.score is not None and event.threshold is not None and not event.code.number:
            assert (event.verdict == "NG") == (event.score >= event.threshold)
    summary = summarise(events, read_truth(truth), seed=11)
    assert summary.parts == summary.good + summary.defective == 80
    assert 20 < summary.defective < 60
    assert summary.no_verdict < 20
    assert summary.found >= 5
    assert summary.rejected < summary.good, "no good part passed"


class Kept(Closeable):
    """An outlet that keeps the events it is given, without the heartbeats between them."""

    def __init__(self) -> None:
        self.headers: list[AnyHeader] = []

    def send(self, parts: list[bytes]) -> None:
        if parts[0] != b"heartbeat":
            self.headers.append(decode(parts).header)

    @property
    def stream(self) -> EventWriter:
        return EventWriter("s", Journal(None), self)

    @property
    def inspections(self) -> list[Inspection]:
        return [h for h in self.headers if isinstance(h, Inspection)]


class Shown(FakeCamera):
    """A camera that shows these pictures one by one."""

    live = False

    def __init__(self, images: list[Image]) -> None:
        self._images = enumerate(images, start=1)

    def read(self) -> Frame:
        number, image = next(self._images, (0, None))
        if image is None:
            raise EndOfStream("no more")
        return Frame(image, number, 0)


def judged(calibrated: Plant, images: list[Image]) -> list[Inspection]:
    """The events that the whole loop publishes for these pictures."""
    product = calibrated.product
    with runtimes.load(product) as engine, Kept() as publisher:
        camera, pace = Shown(images), Pace(triggered=False, deadline_ms=5000)
        run(camera, engine, product, publisher.stream, StopEvent(), pace)
        return publisher.inspections


def test_what_is_no_good_part_is_never_ok(calibrated: Plant, tmp_path: Path) -> None:
    """Lamp off, half the light, lens covered, out of focus, no part, a frame too small."""
    from edge.camera.simulated.renderer import PartRenderer

    line = PartRenderer("moulded", 21)
    pictures = [line.part(0).image, line.part(0, empty=True).image]
    good, empty = (np.asarray(cv2.resize(p, (320, 240)), np.uint8) for p in pictures)
    covered = np.full_like(good, 20)
    blurred = np.asarray(cv2.GaussianBlur(good, (0, 0), 12), np.uint8)
    images = [good, good // 20, good // 2, covered, blurred, empty]
    events = judged(calibrated, images)
    assert events[0].verdict == "OK", events[0]
    assert len(events) == 6, "every picture has its event"
    assert all(e.verdict != "OK" for e in events[1:]), [(e.verdict, e.score) for e in events]
    assert events[1].code.name == "brightness"
    assert events[3].code.name in ("brightness", "contrast")


def test_an_engine_that_gives_nan_or_fails_is_no_verdict(calibrated: Plant) -> None:
    """The only stand-in: an engine whose weights have gone bad."""
    from edge.base.errors import EngineError
    from edge.engine import Inference as Result
    from edge.station.inspector import Inspector, Stopwatch
    from edge.vision.fit import Fit

    class Bad:
        def infer(self, batch):  # type: ignore[no-untyped-def]
            if batch.max() == 0:
                raise EngineError("the device is lost")
            return Result(np.full(1, np.nan, np.float32), np.zeros((1, 64, 64), np.float32))

    inspector = Inspector(Bad(), calibrated.product)  # type: ignore[arg-type]
    for level, code in ((0, "ENGINE"), (90, "NOT_FINITE")):
        frame = Frame(np.full((240, 320, 3), level, np.uint8), 1, 0)
        judgement = inspector(frame, Stopwatch()).judgement
        assert (judgement.verdict, judgement.code.name) == ("NO_VERDICT", code)
    assert Fit(64, 64) == calibrated.product.fit


def test_a_lost_engine_ends_the_line_once_its_frame_is_told(calibrated: Plant) -> None:
    """A process that holds a lost GPU never judges again; a new one may."""

    class Lost(Closeable):
        def infer(self, batch):  # type: ignore[no-untyped-def]
            raise EngineLost("the GPU has failed: restart the program")

    pace, product = Pace(triggered=True, deadline_ms=1000), calibrated.product
    with Kept() as publisher, pytest.raises(EngineLost):
        run(Steps(blank), Lost(), product, publisher.stream, StopEvent(), pace)
    assert [h.kind for h in publisher.headers] == ["status", "inspection", "fault", "status"]
    told = publisher.inspections[0]
    assert (told.verdict, told.code.name) == ("NO_VERDICT", "engine")
    fault = publisher.headers[2]
    assert isinstance(fault, Fault)
    assert fault.code.name == "engine"
    assert "restart the program" in fault.message


def test_nan_weights_never_give_ok(calibrated: Plant, tmp_path: Path) -> None:
    """The same through a really compiled network: a NaN reaches the score, and is caught."""
    import onnx
    from onnx import numpy_helper

    from edge.station.inspector import Inspector, Stopwatch

    proto = onnx.load(str(calibrated.product.model_path))
    for i, weight in enumerate(proto.graph.initializer):
        if weight.data_type == onnx.TensorProto.FLOAT16 and len(weight.dims) == 4:
            spoiled = numpy_helper.to_array(weight).copy()
            spoiled[:] = np.nan
            proto.graph.initializer[i].CopyFrom(numpy_helper.from_array(spoiled, weight.name))
    from dataclasses import replace

    spoiled_product = replace(calibrated.product, path=tmp_path)
    onnx.save_model(proto, str(tmp_path / "model.onnx"))
    plan = openvino.compile_plan(spoiled_product)
    good = write_parts(tmp_path / "good", 1, seed=1)[0]
    image = cv2.imread(str(good))
    assert image is not None
    with openvino.OpenVinoEngine(plan, (64, 64)) as engine:
        frame = Frame(np.asarray(image, np.uint8), 1, 0)
        judgement = Inspector(engine, calibrated.product)(frame, Stopwatch()).judgement
    assert (judgement.verdict, judgement.code.name) == ("NO_VERDICT", "NOT_FINITE")


def test_an_unreadable_file_is_an_event_of_its_own(calibrated: Plant, tmp_path: Path) -> None:
    from edge.camera.open import open_camera

    paths = write_parts(tmp_path / "images", 3, seed=1)
    paths[1].write_bytes(b"broken")
    product = calibrated.product
    with (
        runtimes.load(product) as engine,
        open_camera(str(tmp_path / "images"), triggered=True) as camera,
        Kept() as publisher,
    ):
        pace = Pace(triggered=True, deadline_ms=5000)
        counts = run(camera, engine, product, publisher.stream, StopEvent(), pace)
    headers = publisher.inspections
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

    class Three(Kept):
        def send(self, parts: list[bytes]) -> None:
            super().send(parts)
            if len(self.headers) == 3:
                stop.set()

    stop, product = StopEvent(), calibrated.product
    with runtimes.load(product) as engine, Three() as publisher:
        run(Silent(), engine, product, publisher.stream, stop, Pace(False, 120))
        sent = publisher.headers
    assert [h.kind for h in sent] == ["status", "fault", "fault", "status"]
    assert isinstance(sent[1], Fault)
    assert sent[1].code.name == "frame_timeout"


class Steps(FakeCamera):
    """A camera whose next read is whatever `step` makes of its number."""

    live = True

    def __init__(self, step: Callable[[int], Frame]) -> None:
        self._step = step
        self.reads = 0

    def read(self) -> Frame:
        self.reads += 1
        return self._step(self.reads)


def blank(number: int) -> Frame:
    return Frame(np.full((240, 320, 3), 90, np.uint8), number, time.monotonic_ns(), number)


def test_every_trigger_taken_has_its_event_also_at_the_stop(calibrated: Plant) -> None:
    """The third is being read while the line stops: it is told, and stopping does not wait."""
    stop, late, product = StopEvent(), StopEvent(), calibrated.product

    def step(number: int) -> Frame:
        if number == 3:
            late.wait(5)
        if number > 3:
            raise EndOfStream("over")
        return blank(number)

    with runtimes.load(product) as engine, Kept() as publisher:
        pace = Pace(triggered=True, deadline_ms=1000, backlog=10)
        Timer(0.5, stop.set).start()
        Timer(0.7, late.set).start()
        run(Steps(step), engine, product, publisher.stream, stop, pace)
    assert [e.trigger_id for e in publisher.inspections] == [1, 2, 3]
    assert publisher.inspections[2].code.name == "stopped"
    assert publisher.inspections[2].verdict == "NO_VERDICT"
    last = publisher.headers[-1]
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
def test_whatever_ends_the_line_is_told(calibrated: Plant, error: Exception, code: str) -> None:
    def step(number: int) -> Frame:
        if number == 2:
            raise error
        return blank(number)

    product = calibrated.product
    with runtimes.load(product) as engine, Kept() as publisher:
        pace = Pace(triggered=True, deadline_ms=1000)
        with pytest.raises(type(error)):
            run(
                Steps(step),
                engine,
                product,
                publisher.stream,
                StopEvent(),
                pace,
            )
    assert [h.kind for h in publisher.headers] == ["status", "inspection", "fault", "status"]
    fault = publisher.headers[2]
    assert isinstance(fault, Fault)
    assert fault.code.name == code


def test_an_unplugged_camera_does_not_burn_a_core(calibrated: Plant) -> None:
    def step(number: int) -> Frame:
        raise FrameTimeout("nothing")

    camera, stop, product = Steps(step), StopEvent(), calibrated.product
    with runtimes.load(product) as engine, Kept() as publisher:
        Timer(0.6, stop.set).start()
        run(camera, engine, product, publisher.stream, stop, Pace(False, 200))
    assert camera.reads < 20
    assert any(isinstance(h, Fault) for h in publisher.headers)


@pytest.mark.parametrize("kind", ["machined", "moulded"])
def test_a_video_is_a_source(kind: str, tmp_path: Path) -> None:
    from edge.camera.open import open_camera
    from edge.camera.simulated.renderer import PartRenderer

    path = str(tmp_path / "line.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    line = PartRenderer(kind, 0)
    for i in range(5):
        writer.write(line.part(i).image)
    writer.release()
    with open_camera(path, triggered=False) as camera:
        frames = [camera.read() for _ in range(5)]
        with pytest.raises(EndOfStream):
            camera.read()
    assert [f.frame_id for f in frames] == [1, 2, 3, 4, 5]
    assert frames[4].image.shape == (480, 640, 3)
