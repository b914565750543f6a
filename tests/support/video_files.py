"""Video files with numbered pictures, some of them cut, and what a camera reads from them."""

from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from edge.base.errors import CameraError
from edge.camera import Camera, FrameTimeout
from edge.vision.frame import Frame
from tests.support.numbered_pictures import HEIGHT, WIDTH, pictures


def make_jpeg_video(path: Path, count: int, cut: Collection[int] = ()) -> Path:
    """Motion JPEG; of the pictures named in `cut` the second half is missing."""
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for number, picture in enumerate(pictures(count)):
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            packet = av.Packet(jpeg[: len(jpeg) // 2] if number in cut else jpeg)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            file.mux(packet)
    return path


def make_video(path: Path, count: int, codec: str = "libx264", **options: str) -> Path:
    """Pictures that refer to those before, with a key frame every ten."""
    options = {"preset": "ultrafast", "tune": "zerolatency", **options}
    with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        stream: Any = file.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 10
        for picture in pictures(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        file.mux(stream.encode())
    return path


def replace_devices_by(video: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Let FFmpeg read `video` in place of any V4L2 device; what was asked of it."""
    asked: list[tuple[str, str]] = []
    ours = av.open

    def opened(source: str, *, format: str, **_: object) -> object:
        asked.append((source, format))
        return ours(str(video))

    monkeypatch.setattr("edge.camera.video.av.open", opened)
    return asked


def frames_until_the_end(camera: Camera) -> list[Frame]:
    """All frames; the end of a live stream is an error."""
    frames: list[Frame] = []
    while True:
        try:
            frames.append(camera.read())
        except FrameTimeout:
            continue
        except CameraError:
            return frames
