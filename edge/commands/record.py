"""Keep the newest frames of a camera on disk, with their ids, times and losses; Ctrl-C ends it.

Nothing is judged. `draem run --source replay://DIR` replays them, on any machine.
"""

import argparse
import logging
from pathlib import Path
from threading import Event as StopEvent

from edge.base.errors import CameraError
from edge.base.files import exclusive_lock
from edge.camera import Camera
from edge.camera.capture import CaptureEnded, capturing
from edge.camera.open import open_camera
from edge.camera.recording import RecordingRing, make_folder
from edge.camera.software_trigger import SoftwareTriggers
from edge.commands.arguments import add_settings, parse_count, parse_whole, settings_of
from edge.commands.signals import stop_on_signal
from edge.events.codes import Code
from edge.station.settings import Station

log = logging.getLogger(__name__)

POLL_MS = 100
BACKLOG = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where to keep them")
    limits = parser.add_argument_group("what is kept at most")
    limits.add_argument(
        "--keep", type=parse_count, default=10_000, metavar="N", help="frames (10000)"
    )
    limits.add_argument("--mb", type=parse_count, default=4000, metavar="MB", help="size (4000)")
    frames_help = "end after so many frames (default: never)"
    parser.add_argument("--frames", type=parse_whole, default=0, metavar="N", help=frames_help)
    add_settings(parser, "source", "mode", "read_deadline_ms", "bit_depth")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    refusal = CameraError(f"another recording into {options.to} is under way: choose another --to")
    make_folder(options.to)
    with exclusive_lock(options.to, refusal):
        return _record(options, settings)


def _record(options: argparse.Namespace, settings: Station) -> int:
    ring = RecordingRing(options.to, options.keep, options.mb)
    with (
        stop_on_signal() as stop,
        open_camera(
            settings.source,
            triggered=settings.mode == "triggered",
            bit_depth=settings.bit_depth,
            deadline_ms=settings.read_deadline_ms,
        ) as camera,
    ):
        if SoftwareTriggers.of(camera):
            raise CameraError(
                "nothing triggers the camera here: record it with trigger=off or hardware"
            )
        log.info("recording into %s; Ctrl-C ends it", options.to)
        kept, lost = record(camera, ring, stop, options.frames)
    log.info(
        "%d frames recorded in %s, %d lost because the disk is too slow", kept, options.to, lost
    )
    return 0


def record(camera: Camera, ring: RecordingRing, stop: StopEvent, count: int) -> tuple[int, int]:
    """Until `stop`, the camera's end or `count` frames; how many were kept, and without picture."""
    kept = lost = 0
    with capturing(camera, stop, BACKLOG) as frames:
        while not stop.is_set() and (kept < count or not count):
            try:
                taken = frames.take(POLL_MS)
            except CaptureEnded:
                break
            if taken is not None:
                ring.put(taken.frame)
                kept, lost = kept + 1, lost + (taken.frame.code is Code.OVERRUN)
            elif notice := frames.take_notice():  # it came after the frames that waited
                log.warning("%s", notice)
                ring.put(notice)
    return kept, lost
