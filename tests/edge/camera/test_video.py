"""Network video and GStreamer pipelines: disconnected, frozen, repeating one picture, and back."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.base.errors import CameraError
from edge.camera import all_frames
from edge.camera.address import without_password
from edge.camera.gstreamer import GstCamera
from edge.camera.open import open_camera
from edge.camera.video import VideoCamera
from edge.events.codes import Code
from tests.support.cameras import CameraStation, needs_ffmpeg, needs_gstreamer, wait_for
from tests.support.http_camera import HttpCamera, part
from tests.support.numbered_pictures import number_of, pictures
from tests.support.ports import free_ports
from tests.support.video_files import frames_until_the_end, make_jpeg_video, replace_devices_by
from tests.support.video_servers import Server, mjpeg, rtsp

BALL = (
    "gst://videotestsrc is-live=true pattern=ball ! video/x-raw,width=322,height=200,framerate=25/1"
)


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def start_station(folder: Path, source: str) -> CameraStation:
    """A station, as soon as its server listens."""
    end = time.monotonic() + 15
    while True:
        try:
            return CameraStation(folder, source)
        except CameraError:
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture(
    params=[pytest.param("http", marks=needs_ffmpeg), pytest.param("rtsp", marks=needs_gstreamer)]
)
def video(request: pytest.FixtureRequest, port: int) -> Iterator[tuple[str, Server]]:
    scheme = str(request.param)
    with mjpeg(port) if scheme == "http" else rtsp(port) as server:
        yield f"{scheme}://127.0.0.1:{port}/video", server


def test_an_interrupted_stream_is_reported_and_reconnected(
    video: tuple[str, Server], tmp_path: Path
) -> None:
    source, server = video
    station = start_station(tmp_path, source)
    try:
        wait_for(lambda: station.verdicts() > 10)
        server.close()
        wait_for(lambda: len(station.faults()) == 1, 3)
        server.restart()
        wait_for(lambda: station.fault_names()[-1:] == ["camera_back"], 15)
        judged = station.verdicts()
        wait_for(lambda: station.verdicts() > judged + 10)
        server.freeze()
        wait_for(lambda: len(station.faults()) == 3, 3)
        assert station.fault_names()[2] == "camera_silent"
    finally:
        station.close()
    assert station.error is None
    assert station.fault_names()[0] in ("camera_lost", "camera_silent")


@needs_ffmpeg
def test_a_stream_that_repeats_one_picture_is_stale(port: int, tmp_path: Path) -> None:
    """A server that repeats one picture, as an encoder does whose sensor has failed."""
    with mjpeg(port, "color=gray:size=320x240:rate=25"):
        station = start_station(tmp_path, f"http://127.0.0.1:{port}/video")
        try:
            wait_for(lambda: len(station.inspections()) >= 4)
        finally:
            station.close()
    codes = [i.code.name for i in station.inspections()]
    assert codes[1:4] == ["stale"] * 3
    counted = station.controls.camera
    assert counted["received"] - counted["stale"] == 1, "the first one, which may be passed over"


@needs_gstreamer
def test_frames_and_errors_of_a_pipeline() -> None:
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
def test_a_pipeline_that_ends_is_restarted(tmp_path: Path) -> None:
    station = start_station(tmp_path, BALL.replace("is-live=true", "is-live=true num-buffers=40"))
    try:
        wait_for(lambda: station.fault_names()[:2] == ["camera_lost", "camera_back"])
        judged = station.verdicts()
        wait_for(lambda: station.verdicts() > judged)
    finally:
        station.close()


@needs_gstreamer
def test_a_picture_marked_as_corrupted_is_incomplete() -> None:
    """A decoder that missed packets sets a flag of the buffer; the picture looks whole."""
    with GstCamera(BALL) as camera:
        gst = camera._gst
        sample = camera._sink.try_pull_sample(2_000_000_000)
        assert camera._frame(sample, 0).code is Code.NONE
        buffer = sample.get_buffer().copy_deep()
        buffer.set_flags(gst.BufferFlags.CORRUPTED)
        broken = gst.Sample.new(buffer, sample.get_caps(), None, None)
        assert camera._frame(broken, 0).code is Code.INCOMPLETE
        del sample, buffer, broken


def test_a_device_is_a_live_camera_and_no_file() -> None:
    """/dev/video0 may hang or repeat a frame as camera number 0 does."""
    with pytest.raises(CameraError, match="check that the camera is plugged in"):
        open_camera("/dev/null", triggered=False)
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera("/dev/null", triggered=True)


def test_a_device_is_opened_by_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The links in /dev/v4l/by-id lead to /dev/video3; there is no camera here to test more."""
    opened = replace_devices_by(make_jpeg_video(tmp_path / "video.avi", 2), monkeypatch)
    monkeypatch.setattr("pathlib.Path.resolve", lambda _: Path("/dev/video3"))
    for source in ("/dev/v4l/by-id/usb-Acme", "4"):
        with VideoCamera(source, triggered=False, deadline_ms=800) as camera:
            assert camera.live
    assert opened == [("/dev/video3", "v4l2"), ("/dev/video4", "v4l2")]


def test_a_cut_picture_of_a_device_is_incomplete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A camera at USB gives JPEG as packets, as a video file does."""
    replace_devices_by(make_jpeg_video(tmp_path / "video.avi", 6, cut={1, 4}), monkeypatch)
    with VideoCamera("0", triggered=False, deadline_ms=800) as camera:
        codes = [camera.read().code.name for _ in range(6)]
    assert [number for number, code in enumerate(codes) if code == "INCOMPLETE"] == [1, 4]


@needs_gstreamer
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_cut_picture_in_a_pipeline_is_incomplete(end: bytes) -> None:
    jpegs = [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(20)]
    jpegs[::5] = [jpeg[: len(jpeg) // 2] + end for jpeg in jpegs[::5]]
    with HttpCamera(part(jpeg) for jpeg in jpegs) as server:
        source = f"gst://souphttpsrc location={server.source} ! multipartdemux ! image/jpeg"
        with GstCamera(source) as camera:
            frames = frames_until_the_end(camera)
    judged = [number_of(frame.image) for frame in frames if frame.code is Code.NONE]
    assert judged
    assert not [number for number in judged if number % 5 == 0]


@needs_gstreamer
def test_a_pipeline_that_would_hide_cut_pictures_is_refused() -> None:
    """GStreamer's JPEG decoder fills the missing part with gray, and reports nothing."""
    for decoder in ("jpegdec", "jpegparse ! jpegdec"):
        with pytest.raises(CameraError, match=r"jpegdec, .* end it in '! image/jpeg'"):
            open_camera(f"gst://videotestsrc ! jpegenc ! {decoder}", triggered=False)
    with (
        GstCamera("gst://videotestsrc ! jpegenc ! decodebin") as camera,
        pytest.raises(CameraError, match="hides cut pictures"),
    ):
        next(all_frames(camera))


def test_an_address_that_ends_like_an_image_is_no_file() -> None:
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera("http://127.0.0.1:9/live.jpg", triggered=True)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(CameraError) as raised:
        open_camera("rtsp://admin:secret@127.0.0.1:9/x", triggered=False)
    assert "rtsp://127.0.0.1:9/x" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert without_password("a location=rtsp://u:p@h/x ! b") == "a location=rtsp://h/x ! b"
    assert without_password("http://h/x?to=me@home") == "http://h/x?to=me@home"


@pytest.mark.parametrize("source", ["genicam://[x", "line://[x", "replay://[x"])
def test_a_malformed_address_is_an_error(source: str) -> None:
    with pytest.raises(CameraError, match="is not an address"):
        open_camera(source, triggered=False)


@pytest.mark.parametrize("source", ["http://127.0.0.1:9/x", "rtsp://127.0.0.1:9/x", "77"])
def test_a_missing_stream_or_device_is_an_error_at_the_start(source: str) -> None:
    with pytest.raises(CameraError, match="cannot be opened: check"):
        open_camera(source, triggered=False)
    with pytest.raises(CameraError, match="use --mode free-running"):
        open_camera(source, triggered=True)


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(CameraError, match="genicam://"):
        open_camera("ftp://somewhere", triggered=False)


@needs_gstreamer
def test_libraries_that_throw_may_be_loaded_after_gstreamer() -> None:
    """libunwind's functions in place of libgcc's ended the process at matplotlib's import."""
    program = """
import av
from edge.camera.gstreamer import load
load().parse_launch("videotestsrc num-buffers=1 ! videoconvert ! fakesink")
import matplotlib.pyplot
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
