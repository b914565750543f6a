"""Sources of frames: one read, one deadline.

CameraError (edge.errors)
├── FrameTimeout   no frame within the deadline; the next read may succeed
└── EndOfStream    a folder or a file has no more frames
"""

from contextlib import AbstractContextManager
from typing import Protocol

from edge.errors import CameraError
from edge.frame import Frame


class FrameTimeout(CameraError):
    """No frame came within the deadline."""


class EndOfStream(CameraError):
    """There are no more frames."""


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of frames; one thread reads it.

    `live` tells whether frames come by their own clock. One that is not (a folder, a file) waits
    until each of its frames has been taken.
    """

    live: bool

    def read(self) -> Frame:
        """Wait for the next frame. Raises FrameTimeout, EndOfStream or CameraError."""
        ...

    def about(self) -> dict[str, str | float]:
        """The settings that pictures are taken with, as far as the device tells them."""
        ...

    def close(self) -> None:
        """Give the device back; a read in another thread ends."""
        ...
