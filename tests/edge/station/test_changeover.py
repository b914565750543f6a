"""Changing the product of a running line: real engines, a real process, its events."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.base.errors import EngineError, ProductError
from edge.base.files import digest
from edge.events.codes import Code
from edge.product.manifest import MANIFEST
from edge.product.versions import set_current
from edge.station import proof
from edge.station.active_product import ActiveProduct, load_verified
from edge.station.changeover import Changeover
from edge.station.control import Controls
from edge.station.last_product import STATE, load_remembered, remember
from edge.station.proof import PROOF_FRAMES, ChangeoverError, Stopped, frames_to_prove
from edge.vision.frame import Frame
from edge.vision.tiles import Tile
from tests.conftest import Plant, draem
from tests.measure.switching import Station, line, second_product, start_reading
from tests.support.minimal_station import PRODUCT, MeanEngine


@pytest.fixture
def products(calibrated: Plant, tmp_path: Path) -> Path:
    """Two products, `lid` and `twin`, calibrated and built."""
    copied = shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    second_product(copied, "lid", "twin")
    other_threshold(copied / "twin" / "1")
    return copied


def other_threshold(version: Path) -> None:
    """Makes a line that judges with the wrong product detectable."""
    change_calibration(version, threshold=0.9)


def test_changeover_of_a_running_line_loses_no_trigger(products: Path, tmp_path: Path) -> None:
    triggered = ("--mode", "triggered", "--backlog", "10")
    station = Station(tmp_path, products, "lid", line(20), *triggered)
    events = start_reading(station, tmp_path)
    for name in ("twin", "lid", "twin"):
        station.switch(name)
    assert station.stop() == 0
    found = events.result(20)
    assert found.products == ["lid", "twin", "lid", "twin"]
    assert found.triggers == list(range(1, len(found.triggers) + 1)), "an event for each trigger"
    stopped = 1  # the picture that still waited when the line was stopped
    assert found.verdicts["NO_VERDICT"] <= 2 + stopped


def test_changeover_accounts_for_every_frame(products: Path, tmp_path: Path) -> None:
    station = Station(tmp_path, products, "lid", line(30))
    events = start_reading(station, tmp_path)
    for name in ("twin", "lid"):
        station.switch(name)
    assert station.stop() == 0
    found = events.result(20)
    assert found.products == ["lid", "twin", "lid"]
    assert found.accounted == found.frames
    assert {name: len(seen) for name, seen in found.thresholds.items()} == {"lid": 1, "twin": 1}
    assert found.thresholds["twin"] == {0.9}


def test_changeover_that_fails_keeps_the_old_product(products: Path, tmp_path: Path) -> None:
    """Unknown, uncalibrated, without an engine, altered, or with numbers that cannot be."""
    for name in ("bare", "altered", "lying", "endless", "blank"):
        second_product(products, "lid", name)
    shutil.rmtree(products / "bare" / "1" / "engines")
    with (products / "altered" / "1" / "model.onnx").open("ab") as file:
        file.write(b"!")
    moved_scores(products / "lying" / "1")
    change_calibration(products / "endless" / "1", threshold=float("inf"))
    change_file(products / "blank" / "1", "reference.png", png(64))
    station = Station(tmp_path, products, "lid", line(10))

    def refused(*words: str) -> str:
        done = draem("switch", *words, "--endpoint", station.endpoint, cwd=tmp_path)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stderr
        assert "still judges lid" in done.stderr
        return done.stderr

    events = start_reading(station, tmp_path)
    assert "does not exist" in refused("--product", "none")
    assert "has no threshold" in refused("--product", "lid", "--version", "1")
    assert "draem build --product bare" in refused("--product", "bare")
    assert "SHA-256 differs" in refused("--product", "altered")
    assert "moves the scores" in refused("--product", "lying")
    assert "Infinity is no finite number" in refused("--product", "endless")
    assert "reference.png is not 128x128" in refused("--product", "blank")
    assert station.stop() == 0
    assert events.result(20).products == ["lid"]
    assert "Traceback" not in (tmp_path / "station.log").read_text()


def test_changeover_to_the_product_of_another_camera_is_refused(
    products: Path, tmp_path: Path
) -> None:
    """Its crop lies outside the camera's frame, or its geometry was measured for another size."""
    for name in ("cropped", "measured"):
        second_product(products, "lid", name)
    change_manifest(products / "cropped" / "1", crop=[600, 0, 64, 64])
    change_calibration(products / "measured" / "1", geometry={"frame": [320, 240]})
    station = Station(tmp_path, products, "lid", line(20))
    events = start_reading(station, tmp_path)
    for name, why in (
        ("cropped", "the frame is 640x480, but the product's crop 600,0,64,64 reaches beyond it"),
        ("measured", "the frame is 640x480, but the station's geometry was measured for 320x240"),
    ):
        done = draem(
            "switch", "--product", name, "--endpoint", station.endpoint, cwd=tmp_path
        )  # fmt: skip
        assert done.returncode == 2, done.stdout
        assert f"still judges lid version 2: {name} version 1 does not fit" in done.stderr
        assert why in done.stderr
        assert "train and calibrate it on this camera's frames" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert station.stop() == 0
    found = events.result(20)
    assert found.products == ["lid"]
    assert found.verdicts["OK"] + found.verdicts["NG"] > 0
    with load_verified(products, "cropped", None, "openvino", lambda: False).engine:
        pass  # no frame of the camera is known yet


def test_camera_frame_size_is_that_of_its_last_picture() -> None:
    controls = Controls(PRODUCT)
    assert controls.frame is None
    controls.note_frame_size(Frame(np.zeros((480, 640), np.uint8), 1, 0))
    controls.note_frame_size(Frame(np.zeros((0, 0, 3), np.uint8), 2, 0, code=Code.INCOMPLETE))
    controls.note_frame_size(Frame(np.zeros((48, 64), np.uint8), 3, 0, code=Code.WRONG_FORMAT))
    assert controls.frame == (640, 480)


def moved_scores(version: Path) -> None:
    """As if the engine had given other scores when it was calibrated."""
    frames = json.loads((version / "calibration.json").read_text())["frames"]
    change_calibration(version, frames={k: v + 0.05 for k, v in frames.items()})


def change_calibration(version: Path, **values: object) -> None:
    calibration = json.loads((version / "calibration.json").read_text()) | values
    change_file(version, "calibration.json", json.dumps(calibration).encode())


def change_file(version: Path, name: str, data: bytes) -> None:
    """With its digest in the manifest."""
    (version / name).unlink()  # a hard link to another product's
    (version / name).write_bytes(data)
    files = json.loads((version / MANIFEST).read_text())["files"]
    change_manifest(version, files=files | {name: digest(version / name)})


def png(side: int) -> bytes:
    return cv2.imencode(".png", np.full((side, side), 99, np.uint8))[1].tobytes()


def change_manifest(version: Path, **values: object) -> None:
    manifest = json.loads((version / MANIFEST).read_text()) | values
    (version / MANIFEST).write_text(json.dumps(manifest))


def test_a_killed_station_restarts_with_the_product_of_the_last_switch(
    products: Path, tmp_path: Path
) -> None:
    station = Station(tmp_path, products, "lid", line(10))
    station.switch("twin")
    station.kill()
    again = Station(tmp_path, products, "lid", line(10))
    events = start_reading(again, tmp_path)
    time.sleep(0.5)
    again.stop()
    assert events.result(20).products[-1] == "twin"


def test_the_last_product_is_used_until_the_settings_change(products: Path, tmp_path: Path) -> None:
    lid, twin = ("lid", None), ("twin", None)
    assert load_remembered(tmp_path, products, lid).name == "lid"
    remember(tmp_path, lid, ("twin", "1"))
    assert load_remembered(tmp_path, products, lid).name == "twin"
    assert load_remembered(tmp_path, products, twin).name == "twin"
    assert load_remembered(tmp_path, products, lid).name == "lid", "an old one never comes back"


def test_a_version_activated_after_a_changeover_is_used(products: Path, tmp_path: Path) -> None:
    """`lid 1` is not calibrated, `lid 2` is current."""
    remember(tmp_path, ("twin", None), ("lid", "1"))
    assert load_remembered(tmp_path, products, ("twin", None)).version == "1"
    set_current(products / "lid" / "2")
    os.utime(tmp_path / STATE, (1, 1))
    assert load_remembered(tmp_path, products, ("twin", None)).version == "2"


def test_a_last_product_that_cannot_be_read_or_loaded_names_its_file(
    products: Path, tmp_path: Path
) -> None:
    remember(tmp_path, ("lid", None), ("gone", None))
    with pytest.raises(ProductError, match=f"remove {tmp_path / STATE}"):
        load_remembered(tmp_path, products, ("lid", None))
    for rubbish in (b"{}", b"\xff\xfe", b"", b"[" * 100_000, b'{"runs": ["a", 1e999]}'):
        (tmp_path / STATE).write_bytes(rubbish)
        with pytest.raises(ProductError, match="remove it"):
            load_remembered(tmp_path, products, ("lid", None))


def test_a_station_whose_last_product_cannot_be_loaded_says_how_to_start(
    products: Path, tmp_path: Path
) -> None:
    """Its calibration is damaged, or its engine is gone: one line, at each start."""
    endless, bare = products / "twin" / "1", products / "bare" / "1"
    second_product(products, "lid", "bare")
    shutil.rmtree(bare / "engines")
    change_calibration(endless, threshold=float("inf"))
    words = ("run", "--product", "lid", "--products", str(products), "--source", line(10))
    (tmp_path / "data" / "station-1").mkdir(parents=True)
    for name, why in (("twin", "Infinity is no finite number"), ("bare", "draem build --prod")):
        remember(tmp_path / "data" / "station-1", ("lid", None), (name, "1"))
        done = draem(*words, cwd=tmp_path)
        assert done.returncode == 2
        *_, last = done.stderr.splitlines()
        assert why in last
        assert f"remove {Path('data') / 'station-1' / STATE} to run lid" in last
        assert "Traceback" not in done.stderr


class ClosableEngine(MeanEngine):
    """An engine that records whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_one_changeover_at_a_time_and_engines_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    """The one that was replaced, and the one that was made ready but never taken."""
    caplog.set_level("INFO")
    made: list[ClosableEngine] = []
    gate = threading.Event()

    def load(name: str, version: str | None, stopped: object) -> ActiveProduct:
        gate.wait(5)
        if name == "bad":
            raise EngineError("no such engine")
        made.append(ClosableEngine())
        return ActiveProduct.of(PRODUCT, made[-1])

    first = ClosableEngine()
    changeover = Changeover(first, load, lambda *_: None)
    with changeover:
        changeover.begin("cap", None)
        with pytest.raises(Exception, match="still being prepared"):
            changeover.begin("box", None)
        gate.set()
        assert taken(changeover).engine is made[0]
        wait_for(lambda: changeover.change.state == "done")
        assert first.closed
        assert "the line has changed to cap version 1" in caplog.text
        assert not made[0].closed
        changeover.begin("bad", None)
        wait_for(lambda: changeover.change.state == "failed")
        assert changeover.take() is None
        changeover.begin("box", None)
        wait_for(lambda: len(made) == 2)
    assert made[0].closed
    assert made[1].closed


def test_a_line_that_ends_stops_a_changeover_and_its_proof(calibrated: Plant) -> None:
    """No process may outlive it."""

    def load(name: str, version: str | None, stopped: Stopped) -> ActiveProduct:
        while True:
            load_verified(calibrated.products, "lid", None, "openvino", stopped)

    others = children()  # of other tests
    with Changeover(MeanEngine(), load, lambda *_: None) as changeover:
        changeover.begin("lid", None)
        wait_for(lambda: children() - others)
    assert changeover.change.state == "failed"
    assert "the line has ended" in changeover.change.message
    assert not children() - others
    assert not [t for t in threading.enumerate() if t.name == "changeover"]


def children() -> set[int]:
    """The processes that this one has started and that have not ended."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def test_a_proof_ends_with_a_line_that_is_killed(calibrated: Plant, tmp_path: Path) -> None:
    code = (
        "import sys, time; from edge.station import proof; proof.STARVED_S = 999\n"
        "from edge.station.active_product import load_verified; from pathlib import Path\n"
        "load_verified(Path(sys.argv[1]), 'lid', None, 'openvino', lambda: False)"
    )
    line = subprocess.Popen([sys.executable, "-c", code, str(calibrated.products)])
    task = Path(f"/proc/{line.pid}/task/{line.pid}/children")
    wait_for(lambda: task.read_text().split(), 30)
    (child,) = task.read_text().split()
    line.kill()
    line.wait()
    wait_for(lambda: not Path(f"/proc/{child}").exists() or gone(child), 60)


def gone(pid: str) -> bool:
    """Whether a process has ended, even where nobody asks for its exit code."""
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_changeover_on_a_machine_without_time_for_its_proof_fails(
    calibrated: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of holding up every other change for hours."""
    others = children()  # of other tests
    monkeypatch.setattr("edge.station.proof.TIMEOUT_S", 0.01)
    with pytest.raises(ChangeoverError, match="use all processor time"):
        load_verified(calibrated.products, "lid", None, "openvino", lambda: False)
    assert not children() - others


def test_a_proof_that_starves_is_started_again_at_ordinary_priority(
    calibrated: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a machine whose other programs leave a proof of low priority no time."""
    seen: list[int] = []

    def starved(pid: int, began: float) -> bool:
        seen.append(os.sched_getscheduler(pid))
        return True

    monkeypatch.setattr("edge.station.proof.STARVED_S", 0.1)
    monkeypatch.setattr("edge.station.proof._is_starved", starved)
    with load_verified(calibrated.products, "lid", None, "openvino", lambda: False).engine:
        pass
    assert seen == [os.SCHED_IDLE], "asked once; then it was proved at another priority"


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "print('[1, 2'); sys.exit(0)", "1 / 0"])
def test_a_proof_that_dies_is_one_line(
    calibrated: Plant, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """As where memory is short."""
    monkeypatch.setattr("edge.station.proof.CHILD", f"import os, sys; {end}")
    with pytest.raises(
        ChangeoverError, match=r"its proof has ended with .* switch again"
    ) as caught:
        load_verified(calibrated.products, "lid", None, "openvino", lambda: False)
    assert "\n" not in str(caught.value)


def test_an_old_engine_that_cannot_be_closed_does_not_undo_a_change() -> None:
    class Stuck(MeanEngine):
        def close(self) -> None:
            raise EngineError("it does not let go")

    changed: list[str] = []
    load = lambda *_: ActiveProduct.of(PRODUCT, MeanEngine())  # noqa: E731
    changeover = Changeover(Stuck(), load, lambda name, _: changed.append(name))
    with changeover:
        changeover.begin("cap", None)
        taken(changeover)
        wait_for(lambda: changeover.change.state == "done")
    assert changed == ["cap"]


def taken(changeover: Changeover) -> ActiveProduct:
    end = time.monotonic() + 5
    while (ready := changeover.take()) is None:
        assert time.monotonic() < end
    return ready


def wait_for(condition: object, timeout_s: float = 5) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_thread_of_the_active_engine_has_the_priority_of_the_proof(calibrated: Plant) -> None:
    """A thread inherits its maker's priority, and cannot get it back."""
    with load_verified(
        calibrated.products, "lid", None, "openvino", lambda: False
    ).engine as engine:
        engine.infer(np.zeros((1, *calibrated.product.shape, 3), np.uint8))
        tasks = Path("/proc/self/task").iterdir()
        nice = {(t / "stat").read_text().rsplit(")", 1)[1].split()[16] for t in tasks}
    assert nice == {str(os.getpriority(os.PRIO_PROCESS, 0))}


@pytest.mark.parametrize(
    ("height", "width", "tile", "frames"),
    [(320, 320, None, 24), (544, 544, 320, 24), (3000, 4000, 320, 1), (1216, 1216, 320, 12),
     (8192, 8192, 320, 1)],
)  # fmt: skip
def test_a_proof_judges_fewer_pictures_in_many_tiles(
    height: int, width: int, tile: int | None, frames: int
) -> None:
    """One slow thread would not be done with all of them before the proof times out."""
    tiles = None if tile is None else Tile(height=tile, width=tile, overlap=96)
    update = {"height": height, "width": width, "tile": tiles}
    product = replace(PRODUCT, manifest=PRODUCT.manifest.model_copy(update=update))
    assert frames_to_prove(product) == frames <= PROOF_FRAMES


def test_a_proof_of_a_product_in_tiles_is_bounded(
    calibrated: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def prove(*_: object, most: int | None) -> None:
        asked.append(most)

    monkeypatch.setattr(proof, "frames_to_prove", lambda product: 7)
    monkeypatch.setattr(proof, "prove", prove)
    proof._prove({"products": str(calibrated.products), "name": "lid", "version": None,
                  "flavour": None, "frame": None})  # fmt: skip
    assert asked == [7]
