"""Save frames of good parts from the camera, as PNG, for training and calibration.

A frame that a line could not judge is refused, and so is one that shows a part seen before;
--product adds what its calibration knows of light and focus. Look through the contact sheet, beside
the folder, before you train: one defective part among the good ones hides its like.
"""

import argparse
import logging
from pathlib import Path

import cv2
from rich.progress import Progress

from calibration.collect import Collection, FrameFilter, collected, contact_sheet
from edge.base.console import console
from edge.base.errors import CameraError
from edge.base.files import exclusive_lock, write_atomic
from edge.base.progress_file import report_progress_to, tell_progress
from edge.camera.open import open_camera
from edge.camera.software_trigger import SoftwareTriggers
from edge.commands.arguments import add_progress, add_settings, parse_count, settings_of
from edge.product.product import load_product
from edge.vision.fit import Fit

log = logging.getLogger(__name__)

PLAIN = Fit(256, 256)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where frames go")
    parser.add_argument(
        "--frames", type=parse_count, default=200, metavar="N", help="how many (default 200)"
    )
    parser.add_argument(
        "--any-part",
        action="store_true",
        help="the frames are of a new product: compare with none, also if station.toml names one",
    )
    add_progress(parser)
    add_settings(parser, "source", "mode", "read_deadline_ms", "bit_depth", "product", "products")


def main(options: argparse.Namespace) -> int:
    report_progress_to(options.progress)
    settings = settings_of(options)
    triggered = settings.mode == "triggered"
    fit, calibration = PLAIN, None
    if settings.product and not options.any_part:
        product = load_product(settings.products, settings.product)
        fit, calibration = product.fit, product.calibration
    sieve = FrameFilter(fit, calibration, triggered=triggered)
    refusal = CameraError(f"another collection into {options.to} is under way: wait for its end")
    options.to.mkdir(parents=True, exist_ok=True)
    with (
        exclusive_lock(options.to, refusal),
        open_camera(
            settings.source,
            triggered=triggered,
            bit_depth=settings.bit_depth,
            deadline_ms=settings.read_deadline_ms,
        ) as camera,
    ):
        collection = Collection(options.to, camera, sieve)
        if SoftwareTriggers.of(camera):
            raise CameraError(
                "nothing triggers the camera here: collect with trigger=off or hardware"
            )
        try:
            saved = collect(collection, options.frames)
        finally:
            _look_through(options.to)  # after Ctrl-C too
    refused = ", ".join(f"{count} {why}" for why, count in collection.refused.most_common())
    log.info("%d frames saved in %s; refused: %s", saved, options.to, refused or "none")
    if saved < options.frames:
        raise CameraError(
            f"the source gave {saved} of {options.frames} frames that can be used: give it more"
        )
    return 0


def collect(collection: Collection, count: int) -> int:
    """Save up to `count` frames, with a live count; how many it were."""
    saved = 0
    with Progress(console=console(), transient=True) as progress:
        bar = progress.add_task("collecting", total=count)
        for found in collection.take():
            saved += isinstance(found, Path)
            refused = dict(collection.refused)
            tell_progress("collecting", saved, count, refused=refused)
            if isinstance(found, str):
                log.info("refused: %s", found)
                continue
            progress.update(bar, advance=1, description=f"collecting, {found.name}")
            if saved == count:
                break
    return saved


def _look_through(folder: Path) -> None:
    sheet = folder.resolve().with_name(f"{folder.resolve().name}-sheet.jpg")
    if paths := collected(folder):
        jpeg = cv2.imencode(".jpg", contact_sheet(paths), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        write_atomic(sheet, jpeg.tobytes())
        log.info("look through %s before you train", sheet)
