"""Sources of frames: one read, one deadline.

CameraError (edge.base.errors)
├── FrameTimeout     no frame within the deadline; the next read may succeed
├── EndOfStream      a folder or a file has no more frames
├── SettingsRefused  the camera does not take what its address asks for
└── Trouble          something to tell with a code of its own; the camera mends itself
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Protocol

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.events.event import Code
from edge.vision.frame import Frame


class FrameTimeout(CameraError):
    """No frame came within the deadline."""


class EndOfStream(CameraError):
    """There are no more frames."""


class SettingsRefused(CameraError):
    """A setting was refused, or another value was read back."""


class CameraNotice(CameraError):
    """A fault to tell; reading goes on. `at_ns` is when it came, on the monotonic clock."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code, self.at_ns = code, time.monotonic_ns()


class ReportsOutages(Closeable):
    """A camera that tells its own silence and losses, as Trouble, and counts what it gave.

    Its reads wait a while before they raise FrameTimeout.
    """

    counters: Mapping[str, int] = MappingProxyType({})

    def unfinished(self) -> Iterable[Frame]:
        """After the last read: frames and triggers that nobody has been told of."""
        return ()


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of frames; one thread reads it.

    `live` tells whether frames come by their own clock. One that is not (a folder, a file) waits
    until each of its frames has been taken.
    """

    live: bool

    def read(self) -> Frame:
        """Wait for the next frame. Raises FrameTimeout, Trouble, EndOfStream or CameraError."""
        ...

    def about(self) -> dict[str, str | float]:
        """The settings that pictures are taken with, as far as the device tells them."""
        ...

    def close(self) -> None:
        """Give the device back; a read in another thread ends."""
        ...


def next_frame(camera: Camera, within_s: float = 10.0) -> Frame:
    """The next frame, for whoever has nothing to do until then. Raises CameraError after that."""
    end = time.monotonic() + within_s
    while True:
        try:
            return camera.read()
        except FrameTimeout:
            if time.monotonic() > end:
                raise
