"""From the setting `source` to a camera; a camera's code is imported when it is asked for."""

import re
from pathlib import Path

from edge.base.errors import CameraError
from edge.camera import Camera
from edge.camera.address import without_password
from edge.vision.image_files import SUFFIXES

KINDS = (
    "a folder, a video, a camera number, genicam://, rtsp://, http://, gst://, replay:// or line://"
)
DEADLINE_MS = 800
GENICAM_FIRST_FRAME_S = 1.5  # so that a second connection after a silent one is back within 3 s
NETWORK = ("rtsp://", "rtsps://", "http://", "https://")


def open_camera(
    source: str | None,
    *,
    triggered: bool,
    bit_depth: int | None = None,
    deadline_ms: int = DEADLINE_MS,
) -> Camera:
    """The camera that `source` names. Raises CameraError or ImageError where there is none.

    `deadline_ms` is the longest silence of a live camera that runs freely.
    """
    if not source:
        raise CameraError(f"no source of frames: give --source {KINDS}")
    if source.startswith("line://"):
        from edge.camera.simulated.camera import LineCamera

        return LineCamera(source, triggered=triggered)
    if source.startswith("genicam://"):
        return _genicam(source, triggered=triggered, deadline_ms=deadline_ms)
    if source.startswith("replay://"):
        from edge.camera.recording import ReplayCamera

        return ReplayCamera(source, triggered=triggered)
    if source.isdecimal() or source.startswith((*NETWORK, "gst://")):
        return _video(source, triggered=triggered, deadline_ms=deadline_ms)
    path = Path(source)
    if path.is_char_device():
        return _video(source, triggered=triggered, deadline_ms=deadline_ms)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        from edge.camera.folder import FolderCamera

        return FolderCamera(path, triggered=triggered, bit_depth=bit_depth)
    if re.match(r"[a-z]+://", source) or not path.exists():
        raise CameraError(f"'{source}' does not exist: give --source {KINDS}")
    from edge.camera.opencv import OpenCvCamera

    return OpenCvCamera(source, triggered=triggered)


def _genicam(source: str, *, triggered: bool, deadline_ms: int) -> Camera:
    from edge.camera.frame_ids import FrameIds
    from edge.camera.genicam.camera import GenicamCamera, check_mode
    from edge.camera.genicam.camera_settings import parse
    from edge.camera.reconnecting import ReconnectingCamera
    from edge.camera.trigger_matching import TriggerMatching

    settings = parse(source)
    check_mode(settings, triggered=triggered)
    ids = FrameIds()
    ties = TriggerMatching(settings.trigger_deadline_ms) if settings.trigger == "software" else None
    return ReconnectingCamera(
        f"camera '{settings.device}'",
        lambda: GenicamCamera(settings, ids=ids, ties=ties),
        None if triggered else deadline_ms,
        ids,
        ties,
        GENICAM_FIRST_FRAME_S,
    )


def _video(source: str, *, triggered: bool, deadline_ms: int) -> Camera:
    from edge.camera.reconnecting import ReconnectingCamera

    if triggered:
        raise CameraError(f"'{source}' has no trigger of its own: use --mode free-running")
    if source.startswith("gst://"):
        from edge.camera.gstreamer import GstCamera

        return ReconnectingCamera(
            f"'{without_password(source)}'", lambda: GstCamera(source), deadline_ms
        )
    from edge.camera.opencv import OpenCvCamera

    return ReconnectingCamera(
        f"camera {source}" if source.isdecimal() else f"'{without_password(source)}'",
        lambda: OpenCvCamera(source, triggered=False, deadline_ms=deadline_ms),
        deadline_ms,
    )
