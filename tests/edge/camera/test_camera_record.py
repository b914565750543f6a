"""What is recorded is played back: pictures, ids, codes, losses and the time between them."""

import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import CameraNotice, EndOfStream, FrameTimeout
from edge.camera.genicam.aravis import find
from edge.camera.open import open_camera
from edge.camera.recording import ReplayCamera, Ring
from edge.events.event import Code
from edge.vision.frame import Frame
from tests.conftest import draem
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for

STEP_NS = 30_000_000


def frame(number: int, **more: object) -> Frame:
    image = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
    return Frame(image, number, number * STEP_NS, **more)  # type: ignore[arg-type]


def played(source: str, *, triggered: bool = False) -> list[tuple[float, Frame | CameraNotice]]:
    """Everything with the moment at which it came, in seconds."""
    found: list[tuple[float, Frame | CameraNotice]] = []
    with open_camera(source, triggered=triggered) as camera:
        while True:
            try:
                found.append((time.monotonic(), camera.read()))
            except FrameTimeout:
                continue
            except CameraNotice as trouble:
                found.append((time.monotonic(), trouble))
            except EndOfStream:
                return found


def test_camera_recording_is_played_back_as_it_was(tmp_path: Path) -> None:
    kept = [
        frame(1, trigger_id=11, encoder=5, part_id="a", camera_ns=77, chunks={"ChunkGain": 1.5}),
        Frame(np.zeros((0, 0, 3), np.uint8), 2, 2 * STEP_NS, 12, code=Code.INCOMPLETE),
        frame(9, trigger_id=13),
    ]
    ring = Ring(tmp_path, 100, 100)
    for one in kept:
        ring.put(one)
    ring.put(CameraNotice(Code.CAMERA_LOST, "the cable"))
    with open_camera(f"replay://{tmp_path}?speed=0", triggered=True) as camera:
        for _ in kept:
            camera.read()
        assert isinstance(camera, ReplayCamera)
        assert camera.counters == {"received": 3, "lost": 6}, "ids 3 to 8"
    came = played(f"replay://{tmp_path}?speed=0", triggered=True)
    for (_, again), before in zip(came, kept, strict=False):
        assert isinstance(again, Frame)
        assert (again.image == before.image).all()
        names = ("frame_id", "trigger_id", "encoder", "part_id", "code", "camera_ns", "chunks")
        assert [getattr(again, n) for n in names] == [getattr(before, n) for n in names]
    told = came[3][1]
    assert isinstance(told, CameraNotice)
    assert (told.code, str(told)) == (Code.CAMERA_LOST, "the cable")


def test_camera_recording_keeps_its_time_or_runs_faster(tmp_path: Path) -> None:
    ring = Ring(tmp_path, 100, 100)
    for number in (1, 2, 5, 20):
        ring.put(frame(number))
    for speed, whole in ((1, 0.57), (5, 0.114)):
        at = [moment for moment, _ in played(f"replay://{tmp_path}?speed={speed}")]
        assert at[-1] - at[0] == pytest.approx(whole, abs=0.1)
        assert all(b >= a for a, b in pairwise(at))


def test_camera_recording_is_bounded_by_frames_and_by_size(tmp_path: Path) -> None:
    by_count = Ring(tmp_path / "count", 5, 100)
    for number in range(1, 20):
        by_count.put(frame(number))
    ids = [
        f.frame_id for _, f in played(f"replay://{tmp_path}/count?speed=0") if isinstance(f, Frame)
    ]
    assert ids == [15, 16, 17, 18, 19]
    again = Ring(tmp_path / "count", 5, 100)
    again.put(frame(30))
    assert len(list((tmp_path / "count").iterdir())) == 5, "a restart goes on in the same ring"
    by_size = Ring(tmp_path / "size", 1000, 0.01)
    for number in range(1, 200):
        by_size.put(frame(number))
    assert 5_000 < sum(p.stat().st_size for p in (tmp_path / "size").iterdir()) <= 10_000


def test_camera_recordings_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds no recording"):
        open_camera(f"replay://{tmp_path}", triggered=False)
    (tmp_path / "000000001.npz").write_bytes(b"rubbish")
    with pytest.raises(CameraError, match="is no recorded frame"):
        open_camera(f"replay://{tmp_path}", triggered=False).read()
    with pytest.raises(CameraError, match="speed"):
        open_camera(f"replay://{tmp_path}?speed=-1", triggered=False)


def test_camera_record_of_a_simulated_line(tmp_path: Path) -> None:
    words = ("record", "--source", "line://moulded?rate=30", "--to", "ring", "--frames", "20")
    done = draem(*words, "--keep", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    came = played(f"replay://{tmp_path}/ring?speed=0")
    assert [f.frame_id for _, f in came if isinstance(f, Frame)] == list(range(13, 21))


@needs_genicam
def test_genicam_record_refuses_a_trigger_that_nobody_gives(tmp_path: Path) -> None:
    with FakeGige() as gige:
        source = gige.source(trigger="software")
        wait_for(lambda: bool(find()), 5)
        words = ("record", "--source", source, "--mode", "triggered", "--to", "ring")
        done = draem(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "nobody triggers the camera here" in done.stderr


@needs_genicam
def test_genicam_outage_on_the_line_is_repeated_on_a_desk(tmp_path: Path) -> None:
    with FakeGige() as gige:
        command = [sys.executable, "-m", "draem", "record", "--source", gige.source(frame_rate=30)]
        process = subprocess.Popen([*command, "--to", str(tmp_path / "ring")])
        try:
            ring = tmp_path / "ring"
            wait_for(lambda: len(list(ring.glob("*.npz"))) > 20, 20)
            gige.kill()
            time.sleep(1.5)
            gige.restart()
            before = len(list(ring.glob("*.npz")))
            wait_for(lambda: len(list(ring.glob("*.npz"))) > before + 20, 20)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    recorded = played(f"replay://{ring}?speed=0")
    station = CameraStation(tmp_path / "desk", f"replay://{ring}?speed=2")
    try:
        wait_for(lambda: len(station.inspections()) >= len(recorded) - 2, 30)
    finally:
        station.close()
    assert station.fault_names() == ["camera_lost", "camera_back"]
    ids = [f.frame_id for _, f in recorded if isinstance(f, Frame)]
    assert [i.frame_id for i in station.inspections()] == ids
