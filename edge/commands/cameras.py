"""List the GigE Vision, USB3 Vision and V4L2 cameras that answer, and whether they are free.

Each camera is opened briefly for that; one that is in use by a running line is not disturbed.
"""

import argparse
import json
from pathlib import Path

from edge.base.errors import CameraError
from edge.camera.genicam.aravis import CameraInfo, find_cameras


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object per camera")


def main(options: argparse.Namespace) -> int:
    cameras = _video_devices()
    failure: CameraError | None = None
    try:
        cameras = [*find_cameras(), *cameras]
    except CameraError as error:
        failure = error
    for camera in cameras:
        source = _source(camera)
        fields = [camera.device_id, camera.protocol, camera.model, camera.state]
        record = json.dumps({**camera._asdict(), "source": source})
        print(record if options.json else "  ".join([*fields, f"--source {source}"]))
    if failure is not None:
        raise failure
    if not cameras:
        raise CameraError(
            "no camera answers: check its power and cable, that it and this machine are in one "
            "network, and that the firewall lets UDP port 3956 in (docs/cameras.md)"
        )
    return 0


def _video_devices() -> list[CameraInfo]:
    """The kernel's V4L2 devices; not opened, which would disturb a program that reads them."""
    found = []
    for folder in sorted(Path("/sys/class/video4linux").glob("video*")):
        name = (folder / "name").read_text(encoding="utf-8").strip()
        number = folder.name.removeprefix("video")
        found.append(CameraInfo(number, f"/dev/{folder.name}", "V4L2", name, "there"))
    return found


def _source(camera: CameraInfo) -> str:
    if camera.protocol == "V4L2":
        return camera.device_id
    return f"genicam://{camera.address if camera.protocol == 'GigEVision' else camera.device_id}"
