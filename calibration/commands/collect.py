"""Save frames of good parts from the camera, as PNG, for training."""

import argparse
import logging
import re
from pathlib import Path

from edge.arguments import add_settings, settings_of
from edge.camera import Camera, EndOfStream, next_frame
from edge.camera.open import open_camera
from edge.errors import CameraError
from edge.event import Code
from edge.images import write_png
from edge.progress import track

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where frames go")
    parser.add_argument(
        "--frames", type=int, default=200, metavar="N", help="how many (default 200)"
    )
    add_settings(parser, "source", "bit_depth")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.frames < 1:
        raise CameraError(f"--frames {options.frames}: at least 1 is needed")
    options.to.mkdir(parents=True, exist_ok=True)
    names = (re.fullmatch(r"frame_(\d+)\.png", path.name) for path in options.to.iterdir())
    numbers = [int(name[1]) for name in names if name]
    first = max(numbers, default=-1) + 1
    with open_camera(settings.source, triggered=False, bit_depth=settings.bit_depth) as camera:
        saved = collect(camera, options.to, options.frames, first)
    log.info("%d frames saved in %s", saved, options.to)
    if saved < options.frames:
        raise CameraError(
            f"the source gave {saved} of {options.frames} frames that can be read: give it more"
        )
    return 0


def collect(camera: Camera, folder: Path, count: int, first: int) -> int:
    """Save up to `count` frames as frame_<number>.png, from number `first` on; how many it were."""
    saved = 0
    for _ in track(range(count), "collecting"):
        try:
            frame = next_frame(camera)
        except EndOfStream:
            break
        if frame.code is Code.NONE:
            write_png(folder / f"frame_{first + saved:05d}.png", frame.image)
            saved += 1
    return saved
