"""Sources of frames. `open.open_camera` opens the camera that an address names.

Every one is a `Camera`: one read with one deadline. `capture.capturing` reads it on a thread,
`reconnecting.ReconnectingCamera` keeps a live camera connected, `software_trigger.SoftwareTriggers`
triggers it, `recording` stores and replays its frames, `all_frames` waits for each. The
kinds: `genicam`, `simulated`, `video`, `http_jpeg`, `gstreamer`, `folder`.

CameraError (edge.base.errors)
├── FrameTimeout     no frame within the deadline; the next read may succeed
├── EndOfStream      a folder or a file has no more frames
├── SettingsRefused  the camera does not take what its address asks for
└── CameraNotice     a fault to report with a code of its own; reading goes on
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.events.codes import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

FIRST_QUIET_S = 5.0
NO_PICTURE = np.zeros((0, 0, 3), np.uint8)
"""The image of a frame that has none."""


class FrameTimeout(CameraError):
    """No frame came within the deadline."""


class EndOfStream(CameraError):
    """There are no more frames."""


class SettingsRefused(CameraError):
    """A setting was refused, or another value was read back."""


class CameraNotice(CameraError):
    """A change of the camera's state to report; reading goes on. `at_ns` is monotonic."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code, self.at_ns = code, time.monotonic_ns()


class ReportsOutages(Closeable):
    """A camera that reports its own outages, as CameraNotice, and counts its frames.

    Its reads wait for a while before they raise FrameTimeout.
    """

    counters: Mapping[str, int]

    def unfinished(self) -> Iterable[Frame]:
        """After the last read: frames and triggers that no read has returned yet."""
        return ()


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of frames; one thread reads it.

    A camera that is not `live` (a folder, a file) waits until each of its frames has been taken.
    """

    live: bool

    def read(self) -> Frame:
        """Wait for the next frame.

        Raises FrameTimeout, CameraNotice, EndOfStream or CameraError.
        """
        ...

    def about(self) -> dict[str, str | float]:
        """The settings that pictures are taken with, as far as the device reports them."""
        ...

    def close(self) -> None:
        """Give the device back; a read in another thread ends."""
        ...


def all_frames(camera: Camera) -> Iterator[Frame]:
    """Its frames until the stream ends, however long the line is quiet and through every outage.

    The log says that they are waited for: after 5, 10, 20, ... seconds without one.
    """
    since, quiet_s = time.monotonic(), FIRST_QUIET_S
    while True:
        try:
            frame = camera.read()
        except EndOfStream:
            return
        except FrameTimeout:
            if time.monotonic() - since > quiet_s:
                log.info("no frame for %.0f s: waiting for the next one; Ctrl-C ends it", quiet_s)
                quiet_s *= 2
        except CameraNotice as notice:
            log.warning("%s", notice)
        else:
            yield frame
            since = time.monotonic()
