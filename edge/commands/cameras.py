"""List the GigE Vision, USB3 Vision and V4L2 cameras that answer, and whether they are free.

A camera is opened for a moment to learn that; one that is in use by a running line stays its own.
"""

import argparse
import json
import logging
from pathlib import Path

from edge.base.errors import CameraError
from edge.camera.genicam.aravis import CameraInfo, find

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a camera")


def main(options: argparse.Namespace) -> int:
    cameras = _video_devices()
    trouble: CameraError | None = None
    try:
        cameras = [*find(), *cameras]
    except CameraError as error:
        trouble = error
    for camera in cameras:
        print(json.dumps(_fields(camera)) if options.json else _line(camera))
    if trouble is not None:
        raise trouble
    if not cameras:
        raise CameraError(
            "no camera answers: check its power and cable, that it and this machine are in one "
            "network, and that the firewall lets UDP port 3956 in (docs/cameras.md)"
        )
    return 0


def _video_devices() -> list[CameraInfo]:
    """What the kernel offers as V4L2; not opened, since that would disturb who reads it."""
    found = []
    for folder in sorted(Path("/sys/class/video4linux").glob("video*")):
        name = (folder / "name").read_text(encoding="utf-8").strip()
        number = folder.name.removeprefix("video")
        found.append(CameraInfo(number, f"/dev/{folder.name}", "V4L2", name, "there"))
    return found


def _source(camera: CameraInfo) -> str:
    if camera.protocol == "V4L2":
        return camera.device_id
    at = camera.address if camera.protocol == "GigEVision" else camera.device_id
    return f"genicam://{at}"


def _fields(camera: CameraInfo) -> dict[str, str]:
    return {**camera._asdict(), "source": _source(camera)}


def _line(camera: CameraInfo) -> str:
    return (
        f"{camera.device_id}  {camera.protocol}  {camera.model}  {camera.state}  "
        f"--source {_source(camera)}"
    )
