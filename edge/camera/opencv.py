"""Video files and V4L2 cameras through OpenCV."""

import time

import cv2
import numpy as np

from edge.camera import EndOfStream, FrameTimeout
from edge.closing import Closing
from edge.errors import CameraError
from edge.frame import Frame

PROPERTIES = {
    "width": cv2.CAP_PROP_FRAME_WIDTH,
    "height": cv2.CAP_PROP_FRAME_HEIGHT,
    "fps": cv2.CAP_PROP_FPS,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "gain": cv2.CAP_PROP_GAIN,
}


class OpenCvCamera(Closing):
    """Frames of a video file (`live` False) or of a camera number (`live` True)."""

    def __init__(self, source: str, *, triggered: bool) -> None:
        self.live = source.isdecimal()
        self._source = source
        self._triggered = triggered
        self._count = 0
        if self.live and triggered:
            raise CameraError(f"camera {source} has no trigger of its own: use --mode free-running")
        self._capture = cv2.VideoCapture(int(source) if self.live else source)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(
                f"'{source}' cannot be opened: name a folder of images, a video file, a camera "
                "number such as 0, or line://"
            )

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
                raise FrameTimeout(f"camera {self._source} gives no frame: check its cable")
            if self._count == 0:
                raise CameraError(f"'{self._source}' holds no frame: is it a video?")
            raise EndOfStream(f"{self._source} has no more frames")
        self._count += 1
        trigger = self._count if self._triggered else None
        return Frame(np.asarray(image, np.uint8), self._count, captured, trigger)

    def about(self) -> dict[str, str | float]:
        """What the driver says; a file has no exposure and no gain."""
        told = {name: self._capture.get(number) for name, number in PROPERTIES.items()}
        return {"source": self._source, **{name: v for name, v in told.items() if v > 0}}

    def close(self) -> None:
        self._capture.release()
