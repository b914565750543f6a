"""The errors that a person can mend. `draem` prints them as one line and exits with 2.

DraemError
├── SettingsError   a setting, an environment variable or station.toml
├── ImageError      images or folders of images
├── ProductError    the product's folder: missing, altered, incomplete
├── EngineError     compiling, loading or running an engine
│   └── EngineLost  it will not come back in this process
├── CameraError     a source of frames
└── PublishError    sockets
"""


class DraemError(Exception):
    """One line: what is wrong, and the command or change that mends it."""


class SettingsError(DraemError):
    """A setting is unknown or has an impossible value."""


class ImageError(DraemError):
    """An image, or a folder of them, cannot be used."""


class ProductError(DraemError):
    """The product's folder is missing, incomplete or not what its manifest says."""


class EngineError(DraemError):
    """An engine cannot be built, loaded or run."""


class EngineLost(EngineError):
    """The engine cannot judge again in this process: the device is lost, or hangs."""


class CameraError(DraemError):
    """A source of frames cannot be opened or has failed."""


class PublishError(DraemError):
    """A socket cannot be bound or used."""
