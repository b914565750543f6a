"""Video files, V4L2 cameras and network streams through OpenCV."""

import re
import time
from pathlib import Path

import cv2
import numpy as np

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import EndOfStream
from edge.camera.address import login_hint, without_password
from edge.vision.frame import Frame

PROPERTIES = {
    "width": cv2.CAP_PROP_FRAME_WIDTH,
    "height": cv2.CAP_PROP_FRAME_HEIGHT,
    "fps": cv2.CAP_PROP_FPS,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "gain": cv2.CAP_PROP_GAIN,
}
OPEN_MS = 5000


class OpenCvCamera(Closeable):
    """Frames of a video file, or, with `deadline_ms`, of a live one: a number, device or address.

    OpenCV may block for ever, or repeat its last frame, where a camera was unplugged: a live one
    must be read through edge.camera.reconnecting. The deadline is passed on to FFmpeg.
    """

    def __init__(self, source: str, *, triggered: bool, deadline_ms: int | None = None) -> None:
        self.live = deadline_ms is not None
        self._source = without_password(source)
        self._triggered = triggered
        self._count = 0
        self._capture = _open(source, deadline_ms)
        if not self._capture.isOpened():
            self._capture.release()
            fix = "name a folder of images, a video file, a camera number such as 0, or line://"
            if source.isdecimal() or source.startswith("/dev/"):
                fix = "check that the camera is plugged in and free ('draem cameras' lists them)"
            elif self.live:
                fix = "check the address, and that the camera is on the network" + login_hint(
                    source
                )
            raise CameraError(f"'{self._source}' cannot be opened: {fix}")

    def read(self) -> Frame:
        try:
            ok, image = self._capture.read()
        except cv2.error as error:
            raise CameraError(
                f"'{self._source}' cannot be read: check the camera or file"
            ) from error
        captured = time.monotonic_ns()
        if not ok or image is None:
            if self.live:
                raise CameraError(f"'{self._source}' gives no more frames: check its cable")
            if self._count == 0:
                raise CameraError(f"'{self._source}' has no frames: name a video file")
            raise EndOfStream(f"{self._source} has no more frames")
        self._count += 1
        trigger = self._count if self._triggered else None
        return Frame(np.asarray(image, np.uint8), self._count, captured, trigger)

    def about(self) -> dict[str, str | float]:
        """The driver's values; a file has no exposure and no gain."""
        values = {name: self._capture.get(number) for name, number in PROPERTIES.items()}
        return {"source": self._source, **{name: v for name, v in values.items() if v > 0}}

    def close(self) -> None:
        self._capture.release()


def _open(source: str, deadline_ms: int | None) -> cv2.VideoCapture:
    # OpenCV opens V4L2 devices by number; a link in /dev/v4l is resolved to its device first.
    resolved = str(Path(source).resolve()) if source.startswith("/dev/") else source
    if device := re.fullmatch(r"(?:/dev/video)?(\d{1,9})", resolved):
        return cv2.VideoCapture(int(device[1]))
    if deadline_ms is None:
        return cv2.VideoCapture(source)
    if "://" not in source:
        return cv2.VideoCapture(source, cv2.CAP_V4L2)
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, max(deadline_ms, 1000) * 2),
    ]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
