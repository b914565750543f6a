"""From the setting `source` to a camera; a camera's code is imported when it is asked for."""

from pathlib import Path

from edge.camera import Camera
from edge.errors import CameraError
from edge.images import SUFFIXES


def open_camera(source: str | None, *, triggered: bool, bit_depth: int | None = None) -> Camera:
    """The camera that `source` names. Raises CameraError or ImageError where there is none."""
    if not source:
        raise CameraError(
            "no source of frames: give --source a folder, a video, a camera number or line://"
        )
    if source.startswith("line://"):
        from edge.camera.line import LineCamera

        return LineCamera(source, triggered=triggered)
    path = Path(source)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        from edge.camera.files import FolderCamera

        return FolderCamera(path, triggered=triggered, bit_depth=bit_depth)
    if not source.isdecimal() and not path.exists():
        raise CameraError(
            f"'{source}' does not exist: give --source a folder, a video, a camera number or line://"
        )
    from edge.camera.opencv import OpenCvCamera

    return OpenCvCamera(source, triggered=triggered)
