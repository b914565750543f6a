"""Errors that the user can fix: `draem` prints them as one line and exits with 2.

DraemError
├── SettingsError   a setting, an environment variable or station.toml
├── ImageError      images or folders of images
├── ProductError    the product's folder: missing, altered, incomplete
├── EngineError     compiling, loading or running an engine
│   └── EngineLost  the engine cannot be used again in this process
├── CameraError     a source of frames; edge.camera adds kinds of it
├── PublishError    sockets
└── in other packages: JournalError, EventError, KeysError and more, each beside what raises it
"""

from edge.base.passwords import without_password
from edge.base.text import printable


class DraemError(Exception):
    """One line: what is wrong, then the command or change that fixes it; without passwords."""

    def __init__(self, message: str) -> None:
        super().__init__(without_password(message))

    def __str__(self) -> str:
        return printable(super().__str__())


class SettingsError(DraemError):
    """A setting is unknown or has an impossible value."""


class ImageError(DraemError):
    """An image, or a folder of them, cannot be used."""


class ProductError(DraemError):
    """The product's folder is missing, incomplete or not what its manifest says."""


class EngineError(DraemError):
    """An engine cannot be built, loaded or run."""


class EngineLost(EngineError):
    """The engine cannot be used again in this process: the device failed, or does not return."""


class CameraError(DraemError):
    """A source of frames cannot be opened or has failed."""


class PublishError(DraemError):
    """A socket cannot be bound or used."""
