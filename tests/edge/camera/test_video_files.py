"""Video files: what is damaged is incomplete, what follows from it too, and the rest is judged."""

import os
import random
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import EndOfStream
from edge.camera.open import open_camera
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.commands import draem_in_process
from tests.support.numbered_pictures import number_of, picture
from tests.support.video_files import frames_until_the_end, make_jpeg_video, make_video


def read(path: Path) -> list[Frame]:
    with open_camera(str(path), triggered=False) as camera:
        return frames_until_the_end(camera)


def numbers(frames: list[Frame]) -> list[int | None]:
    """What the frames show; None for one that is incomplete."""
    assert {frame.code for frame in frames} <= {Code.NONE, Code.INCOMPLETE}
    return [None if frame.code else number_of(frame.image) for frame in frames]


@pytest.mark.parametrize("kind", ["avi", "mp4", "mkv", "mov"])
def test_a_cut_picture_in_a_video_of_jpegs_is_incomplete(kind: str, tmp_path: Path) -> None:
    """FFmpeg completed it from the picture before."""
    path = make_jpeg_video(tmp_path / f"parts.{kind}", 12, cut={0, 5, 6, 11})
    expected = [None if i in (0, 5, 6, 11) else i for i in range(12)]
    assert numbers(read(path)) == expected


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_an_undamaged_video_is_decoded_as_opencv_does(codec: str, tmp_path: Path) -> None:
    """Products that were calibrated on frames of a stream stay valid."""
    path = make_video(tmp_path / "parts.mp4", 25, codec)
    capture, opencv = cv2.VideoCapture(str(path)), []
    while (found := capture.read())[0]:
        opencv.append(found[1])
    frames = read(path)
    assert [number_of(frame.image) for frame in frames] == [*range(25)]
    for frame, other in zip(frames, opencv, strict=True):
        np.testing.assert_array_equal(frame.image, other)


def test_frames_that_are_stored_out_of_order_come_in_order(tmp_path: Path) -> None:
    path = make_video(tmp_path / "parts.mp4", 25, tune="film", preset="medium")
    assert numbers(read(path)) == [*range(25)]


def test_frames_behind_a_damaged_one_are_not_trusted_until_the_next_key_frame(
    tmp_path: Path,
) -> None:
    path = make_video(tmp_path / "parts.mp4", 30)
    undamaged = {number_of(frame.image): frame.image for frame in read(path)}
    data = bytearray(path.read_bytes())
    for share in (0.3, 0.5, 0.7):
        damaged = bytearray(data)
        at = int(len(data) * share)
        del damaged[at : at + 200]  # all that follows is shifted, and can be told from pictures
        path.write_bytes(damaged)
        frames = read(path)
        assert Code.INCOMPLETE in {frame.code for frame in frames}
        for frame in frames:
            if frame.code is Code.NONE:
                np.testing.assert_array_equal(frame.image, undamaged[number_of(frame.image)])


@pytest.mark.parametrize(
    "name", ["jpeg.avi", "jpeg.mkv", "h264.mkv", "h264.ts", "h264.avi", "vp9.webm"]
)
def test_no_wrong_picture_of_a_file_that_is_cut_or_has_a_gap(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.startswith("jpeg"):
        make_jpeg_video(path, 30)
    elif name.startswith("vp9"):
        make_video(path, 30, "libvpx-vp9", tune="psnr", deadline="realtime", speed="8")
    else:
        make_video(path, 30)
    whole = {number_of(frame.image): frame.image for frame in read(path)}
    assert len(whole) == 30
    data, chance = path.read_bytes(), random.Random(1)
    for turn in range(8):
        at = chance.randrange(len(data) // 10, len(data) - 2000)
        path.write_bytes(
            data[:at] + (data[at + chance.randrange(400, 2000) :] if turn % 2 else b"")
        )
        frames = read(path)
        for frame in frames:
            if frame.code is Code.NONE:
                np.testing.assert_array_equal(frame.image, whole[number_of(frame.image)])


def test_a_recording_that_was_cut_before_its_index_is_one_line(tmp_path: Path) -> None:
    path = make_jpeg_video(tmp_path / "parts.mp4", 12)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CameraError, match="its index is missing, so the recording was cut"):
        open_camera(str(path), triggered=False)


@pytest.mark.parametrize("data", [b"", b"no video at all\n" * 99, b"\x00\x00\x00\x18ftypmp42"])
def test_a_file_that_is_no_video_is_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "parts.mp4"
    path.write_bytes(data)
    with pytest.raises(CameraError, match="cannot be opened: "):
        open_camera(str(path), triggered=False)


def test_a_video_whose_name_is_not_utf8(tmp_path: Path) -> None:
    """OpenCV ended the interpreter with a segmentation fault."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/teil_\xfc:1.avi"))
    make_jpeg_video(tmp_path / "parts.avi", 3).rename(path)
    with open_camera(str(path), triggered=True) as camera:
        assert [camera.read().trigger_id for _ in range(3)] == [1, 2, 3]
        with pytest.raises(EndOfStream) as raised:
            camera.read()
        f"{raised.value}{camera.about()}".encode()  # both can be printed


def test_without_pyav_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_jpeg_video(tmp_path / "parts.avi", 3)
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "edge.camera.video")
    monkeypatch.delitem(sys.modules, "edge.camera.video_decoder")
    for source in ("parts.avi", "rtsp://127.0.0.1:9/x", "0"):
        done = draem_in_process("record", "--source", source, "--to", "ring", cwd=tmp_path)
        assert done.returncode == 2
        assert "av is missing: run './just setup', or pip install '.[video]'" in done.stderr


def test_the_number_in_a_picture_can_be_read() -> None:
    assert [number_of(picture(number)) for number in (0, 1, 77, 4095)] == [0, 1, 77, 4095]
