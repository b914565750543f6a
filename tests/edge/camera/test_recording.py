"""A recording is replayed with its pictures, ids, codes, losses and intervals."""

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread
from typing import TypeGuard

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.base.files import exclusive_lock
from edge.camera import CameraNotice, EndOfStream, FrameTimeout
from edge.camera.open import open_camera
from edge.camera.recording import RecordingRing, ReplayCamera
from edge.commands.record import record
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.commands import draem_in_process

STEP_NS = 30_000_000


def frame(number: int, **more: object) -> Frame:
    image = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
    return Frame(image, number, number * STEP_NS, **more)  # type: ignore[arg-type]


def replayed(source: str, *, triggered: bool = False) -> list[Frame | CameraNotice]:
    """Every frame and notice, in order."""
    found: list[Frame | CameraNotice] = []
    with open_camera(source, triggered=triggered) as camera:
        while True:
            try:
                found.append(camera.read())
            except FrameTimeout:
                continue
            except CameraNotice as notice:
                found.append(notice)
            except EndOfStream:
                return found


def is_frame(result: Frame | CameraNotice) -> TypeGuard[Frame]:
    return isinstance(result, Frame)


def test_a_recording_is_replayed_unchanged(tmp_path: Path) -> None:
    kept = [
        frame(1, trigger_id=11, encoder=5, part_id="a", camera_ns=77, chunks={"ChunkGain": 1.5}),
        Frame(np.zeros((0, 0, 3), np.uint8), 2, 2 * STEP_NS, 12, code=Code.INCOMPLETE),
        frame(9, trigger_id=13),
    ]
    ring = RecordingRing(tmp_path, 100, 100)
    for one in kept:
        ring.put(one)
    ring.put(CameraNotice(Code.CAMERA_LOST, "the cable"))
    with open_camera(f"replay://{tmp_path}?speed=0", triggered=True) as camera:
        for _ in kept:
            camera.read()
        assert isinstance(camera, ReplayCamera)
        assert camera.counters == {"received": 3, "lost": 6}, "ids 3 to 8"
    came = replayed(f"replay://{tmp_path}?speed=0", triggered=True)
    for again, before in zip(came, kept, strict=False):
        assert isinstance(again, Frame)
        assert (again.image == before.image).all()
        names = ("frame_id", "trigger_id", "encoder", "part_id", "code", "camera_ns", "chunks")
        assert [getattr(again, n) for n in names] == [getattr(before, n) for n in names]
    notice = came[3]
    assert isinstance(notice, CameraNotice)
    assert (notice.code, str(notice)) == (Code.CAMERA_LOST, "the cable")


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_ns = 5

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


@pytest.mark.parametrize("speed", [1, 5])
def test_a_recording_keeps_its_intervals_or_runs_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: int
) -> None:
    ring = RecordingRing(tmp_path, 100, 100)
    for number in (1, 2, 5, 20):
        ring.put(frame(number))
    monkeypatch.setattr("edge.camera.recording.time", FakeTime())
    at_ns = [f.captured_ns for f in replayed(f"replay://{tmp_path}?speed={speed}") if is_frame(f)]
    intervals = [(b - a) * speed / STEP_NS for a, b in pairwise(at_ns)]
    assert intervals == pytest.approx([1, 3, 15], rel=1e-6)


def test_a_recording_is_replayed_again_and_again_with_loop(tmp_path: Path) -> None:
    ring = RecordingRing(tmp_path, 100, 100)
    for number in (1, 2):
        ring.put(frame(number))
    with open_camera(f"replay://{tmp_path}?speed=0&loop=true", triggered=False) as camera:
        assert [camera.read().frame_id for _ in range(5)] == [1, 2, 1, 2, 1]


def test_a_recording_is_limited_by_frames_and_by_size(tmp_path: Path) -> None:
    by_count = RecordingRing(tmp_path / "count", 5, 100)
    for number in range(1, 20):
        by_count.put(frame(number))
    ids = [
        f.frame_id for f in replayed(f"replay://{tmp_path}/count?speed=0") if isinstance(f, Frame)
    ]
    assert ids == [15, 16, 17, 18, 19]
    again = RecordingRing(tmp_path / "count", 5, 100)
    again.put(frame(30))
    assert len(list((tmp_path / "count").iterdir())) == 5, "a restart continues the same recording"
    by_size = RecordingRing(tmp_path / "size", 1000, 0.01)
    for number in range(1, 60):
        by_size.put(frame(number))
    assert 5_000 < sum(p.stat().st_size for p in (tmp_path / "size").iterdir()) <= 10_000


def test_wrong_recordings_and_options_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds no recording"):
        open_camera(f"replay://{tmp_path}", triggered=False)
    (tmp_path / "000000001.npz").write_bytes(b"rubbish")
    with pytest.raises(CameraError, match="is no recorded frame"):
        open_camera(f"replay://{tmp_path}", triggered=False).read()
    with pytest.raises(CameraError, match="speed"):
        open_camera(f"replay://{tmp_path}?speed=-1", triggered=False)


def test_record_keeps_the_newest_frames_of_a_simulated_line(tmp_path: Path) -> None:
    words = ("record", "--source", "line://moulded?rate=30", "--to", "ring", "--frames", "20")
    done = draem_in_process(*words, "--keep", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    came = replayed(f"replay://{tmp_path}/ring?speed=0")
    assert [f.frame_id for f in came if isinstance(f, Frame)] == list(range(13, 21))


@needs_genicam
def test_record_refuses_a_camera_that_waits_for_software_triggers(tmp_path: Path) -> None:
    with FakeGige() as gige:
        source = gige.source(trigger="software")
        words = ("record", "--source", source, "--mode", "triggered", "--to", "ring")
        done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing triggers the camera here" in done.stderr


def test_record_ends_with_a_signal(tmp_path: Path) -> None:
    words = ("record", "--source", "line://moulded?rate=30", "--to", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-m", "draem", *words])
    try:
        wait_for(lambda: len(list(tmp_path.glob("*.npz"))) > 3, 60)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@needs_genicam
def test_a_recorded_outage_is_replayed(tmp_path: Path) -> None:
    folder, stop = tmp_path / "ring", StopEvent()
    ring = RecordingRing(folder, 1000, 100)

    def count() -> int:
        return len(list(folder.glob("*.npz")))

    with FakeGige() as gige, open_camera(gige.source(frame_rate=30), triggered=False) as camera:
        thread = Thread(target=record, args=(camera, ring, stop, 0))
        thread.start()
        wait_for(lambda: count() > 10)
        gige.kill()
        before = count()
        wait_for(lambda: count() > before)  # the notice
        gige.restart()
        wait_for(lambda: count() > before + 12)
        stop.set()
        thread.join()
    recorded = replayed(f"replay://{folder}?speed=0")
    station = CameraStation(tmp_path / "replay", f"replay://{folder}?speed=2")
    try:
        ids = [f.frame_id for f in recorded if isinstance(f, Frame)]
        wait_for(lambda: len(station.inspections()) == len(ids), 30)
    finally:
        station.close()
    assert station.fault_names() == ["camera_lost", "camera_back"]
    assert [i.frame_id for i in station.inspections()] == ids


def test_two_recordings_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    words = ("record", "--source", "line://moulded", "--to", "kept", "--frames", "1")
    (tmp_path / "kept").mkdir()
    with exclusive_lock(tmp_path / "kept", CameraError("another")):
        done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "another recording into kept is under way: choose another --to" in done.stderr
    assert not list((tmp_path / "kept").iterdir())
    assert draem_in_process(*words, cwd=tmp_path).returncode == 0
