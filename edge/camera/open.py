"""From the setting `source` to a camera; a camera's code is imported when it is asked for."""

import re
from pathlib import Path

from edge.base.errors import CameraError
from edge.base.text import printable
from edge.camera import Camera
from edge.camera.address import check_port, without_password
from edge.vision.image_files import SUFFIXES

KINDS = (
    "a folder, a video, a camera number, genicam://, rtsp://, http://, gst://, replay:// or line://"
)
DEADLINE_MS = 800
GENICAM_FIRST_FRAME_S = 1.5  # a second connection after a silent one then gives frames within 3 s
BARE_IPV6 = re.compile(
    r"(?:rtsps?|https?)://(?:\S+@)?[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:[/?%]|$)"
)
NETWORK = ("rtsp://", "rtsps://", "http://", "https://")


def open_camera(
    source: str | None,
    *,
    triggered: bool,
    bit_depth: int | None = None,
    deadline_ms: int = DEADLINE_MS,
) -> Camera:
    """The camera that `source` names. Raises CameraError or ImageError where there is none.

    `deadline_ms` is the longest time without a frame of a live camera that is not triggered.
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
    _check_network_address(source)
    if source.startswith(NETWORK):
        check_port(source)
    path = Path(source)
    if source.isdecimal() or source.startswith((*NETWORK, "gst://")) or path.is_char_device():
        return _video(source, triggered=triggered, deadline_ms=deadline_ms)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        from edge.camera.folder import FolderCamera

        return FolderCamera(path, triggered=triggered, bit_depth=bit_depth)
    if re.match(r"[a-z]+://", source):
        raise CameraError(f"'{source}' is no kind of source: give --source {KINDS}")
    if not path.exists():
        raise CameraError(f"'{source}' does not exist: give --source {KINDS}")
    from edge.camera.video import VideoCamera

    return VideoCamera(source, triggered=triggered)


def _check_network_address(source: str) -> None:
    """Raise CameraError for what the libraries behind it refuse with another reason, or crash."""
    if source.startswith((*NETWORK, "gst://")) and printable(source) != source:
        raise CameraError(f"'{source}' is not UTF-8, as an address must be: correct --source")
    if BARE_IPV6.match(source):
        raise CameraError(
            f"'{source}' needs brackets around its IPv6 address, as in rtsp://[fd00::5]:554/: "
            "correct --source"
        )


def _genicam(source: str, *, triggered: bool, deadline_ms: int) -> Camera:
    from edge.camera.frame_ids import FrameIds
    from edge.camera.genicam.camera import GenicamCamera
    from edge.camera.genicam.camera_settings import check_mode, parse
    from edge.camera.reconnecting import ReconnectingCamera
    from edge.camera.trigger_matching import TriggerMatcher

    settings = parse(source)
    check_mode(settings, triggered=triggered)
    software, deadline = settings.trigger == "software", settings.trigger_deadline_ms
    ids, matcher = FrameIds(), TriggerMatcher(deadline) if software else None
    return ReconnectingCamera(
        f"camera '{settings.device}'",
        lambda: GenicamCamera(settings, ids=ids, matcher=matcher),
        None if triggered else deadline_ms,
        ids,
        matcher,
        GENICAM_FIRST_FRAME_S,
    )


def _video(source: str, *, triggered: bool, deadline_ms: int) -> Camera:
    from edge.camera.reconnecting import ReconnectingCamera

    if triggered:
        raise CameraError(f"'{source}' has no trigger of its own: use --mode free-running")

    def connect() -> Camera:
        if source.startswith("gst://"):
            from edge.camera.gstreamer import GstCamera

            return GstCamera(source)
        if source.startswith("http"):
            from edge.camera.http_jpeg import open_http

            if (camera := open_http(source, deadline_ms)) is not None:
                return camera
        from edge.camera.video import VideoCamera

        return VideoCamera(source, triggered=False, deadline_ms=deadline_ms)

    name = f"camera {source}" if source.isdecimal() else f"'{without_password(source)}'"
    return ReconnectingCamera(name, connect, deadline_ms)
