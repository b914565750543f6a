"""The real thing end to end: separate processes, real sockets, a real engine, events counted."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from edge.camera import EndOfStream
from edge.product.product import load_product
from tests.conftest import Plant, draem, write_parts
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


@pytest.mark.parametrize("kind", ["machined", "moulded"])
def test_a_video_file_is_a_source(kind: str, tmp_path: Path) -> None:
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
