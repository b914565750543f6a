"""Network video and pipelines: cut, frozen, standing still, and back again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.base.errors import CameraError
from edge.camera.address import without_password
from edge.camera.gstreamer import GstCamera
from edge.camera.open import open_camera
from edge.camera.opencv import OpenCvCamera
from edge.events.event import Code
from tests.support.cameras import (
    CameraStation,
    Server,
    mjpeg,
    needs_ffmpeg,
    needs_gstreamer,
    rtsp,
    wait_for,
)
from tests.support.ports import free_ports

BALL = (
    "gst://videotestsrc is-live=true pattern=ball ! video/x-raw,width=322,height=200,framerate=25/1"
)


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def station(folder: Path, source: str) -> CameraStation:
    """As soon as its server listens."""
    end = time.monotonic() + 15
    while True:
        try:
            return CameraStation(folder, source)
        except CameraError:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.fixture(
    params=[pytest.param("http", marks=needs_ffmpeg), pytest.param("rtsp", marks=needs_gstreamer)]
)
def video(request: pytest.FixtureRequest, port: int) -> Iterator[tuple[str, Server]]:
    scheme = str(request.param)
    with mjpeg(port) if scheme == "http" else rtsp(port) as server:
        yield f"{scheme}://127.0.0.1:{port}/video", server


def test_camera_video_that_is_cut_and_comes_back(video: tuple[str, Server], tmp_path: Path) -> None:
    source, server = video
    running = station(tmp_path, source)
    try:
        wait_for(lambda: running.verdicts() > 10)
        server.close()
        assert wait_for(lambda: len(running.faults()) == 1, 3) < 1.2
        server.restart()
        wait_for(lambda: running.fault_names()[-1:] == ["camera_back"], 15)
        judged = running.verdicts()
        wait_for(lambda: running.verdicts() > judged + 10)
        server.freeze()
        assert wait_for(lambda: len(running.faults()) == 3, 3) < 1.2
        assert running.fault_names()[2] == "camera_silent"
    finally:
        running.close()
    assert running.error is None
    assert running.fault_names()[0] in ("camera_lost", "camera_silent")


@needs_ffmpeg
def test_camera_video_that_stands_still_is_stale(port: int, tmp_path: Path) -> None:
    """A server that sends one picture again and again, as an encoder does whose sensor is gone."""
    with mjpeg(port, "color=gray:size=320x240:rate=25"):
        running = station(tmp_path, f"http://127.0.0.1:{port}/video")
        try:
            wait_for(lambda: len(running.inspections()) >= 4)
        finally:
            running.close()
    codes = [i.code.name for i in running.inspections()]
    assert codes[:4] == ["none", "stale", "stale", "stale"]


@needs_gstreamer
def test_camera_pipeline_frames_are_right_and_its_errors_are_one_line() -> None:
    with open_camera(BALL, triggered=False) as camera:
        image = camera.read().image
    assert image.shape == (200, 322, 3)
    assert image.max() == 255
    assert (image[..., 0] == image[..., 2]).all(), "a white ball: rows are not sheared"
    with pytest.raises(CameraError, match="is wrong"):
        open_camera("gst://no-such-element", triggered=False)
    with pytest.raises(CameraError, match=r"fails|ended"):
        open_camera("gst://filesrc location=/no/such ! decodebin", triggered=False).read()


@needs_gstreamer
def test_camera_pipeline_that_ends_is_started_anew(tmp_path: Path) -> None:
    running = station(tmp_path, BALL.replace("is-live=true", "is-live=true num-buffers=40"))
    try:
        wait_for(lambda: running.fault_names()[:2] == ["camera_lost", "camera_back"])
        judged = running.verdicts()
        wait_for(lambda: running.verdicts() > judged)
    finally:
        running.close()


@needs_gstreamer
def test_camera_pipeline_picture_that_was_painted_over_is_incomplete() -> None:
    """A decoder that missed packets says so in a buffer's flag; the picture looks whole."""
    with GstCamera(BALL) as camera:
        gst = camera._gst
        sample = camera._sink.try_pull_sample(2_000_000_000)
        assert camera._frame(sample, 0).code is Code.NONE
        buffer = sample.get_buffer().copy_deep()
        buffer.set_flags(gst.BufferFlags.CORRUPTED)
        broken = gst.Sample.new(buffer, sample.get_caps(), None, None)
        assert camera._frame(broken, 0).code is Code.INCOMPLETE
        del sample, buffer, broken


def test_camera_device_is_a_live_camera_and_no_file() -> None:
    """/dev/video0 hangs and repeats itself as camera number 0 does."""
    with pytest.raises(CameraError, match="check that the camera is plugged in"):
        open_camera("/dev/null", triggered=False)
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera("/dev/null", triggered=True)


def test_camera_device_is_opened_by_its_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The links in /dev/v4l/by-id lead to /dev/video3; there is no camera here to prove more."""
    opened: list[int | str] = []

    class Capture:
        def __init__(self, source: int | str, *_: object) -> None:
            opened.append(source)

        def isOpened(self) -> bool:
            return True

        def release(self) -> None:
            pass

    monkeypatch.setattr("cv2.VideoCapture", Capture)
    monkeypatch.setattr("pathlib.Path.resolve", lambda _: Path("/dev/video3"))
    for source in ("/dev/v4l/by-id/usb-Acme", "4"):
        assert OpenCvCamera(source, triggered=False, deadline_ms=800).live
    assert opened == [3, 4]


def test_camera_address_is_taken_for_no_file() -> None:
    """Whatever its ending: a picture's file is not watched, and a live camera is."""
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera("http://127.0.0.1:9/live.jpg", triggered=True)


def test_camera_password_is_never_told() -> None:
    with pytest.raises(CameraError) as told:
        open_camera("rtsp://admin:secret@127.0.0.1:9/x", triggered=False)
    assert "rtsp://127.0.0.1:9/x" in str(told.value)
    assert "secret" not in str(told.value)
    assert without_password("a location=rtsp://u:p@h/x ! b") == "a location=rtsp://h/x ! b"
    assert without_password("http://h/x?to=me@home") == "http://h/x?to=me@home"


@pytest.mark.parametrize("source", ["genicam://[x", "line://[x", "replay://[x"])
def test_camera_address_that_is_none_is_one_line(source: str) -> None:
    with pytest.raises(CameraError, match="is no address"):
        open_camera(source, triggered=False)


@pytest.mark.parametrize("source", ["http://127.0.0.1:9/x", "rtsp://127.0.0.1:9/x", "77"])
def test_camera_video_that_is_not_there_is_told_at_the_start(source: str) -> None:
    with pytest.raises(CameraError, match="cannot be opened: check"):
        open_camera(source, triggered=False)
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera(source, triggered=True)


def test_camera_addresses_that_nobody_knows() -> None:
    with pytest.raises(CameraError, match="genicam://"):
        open_camera("ftp://somewhere", triggered=False)
