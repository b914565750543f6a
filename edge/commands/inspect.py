"""Judge image files without a camera: one line per file; the exit code does not depend on verdicts.

A product without calibration gives NO_VERDICT with a score, a file that cannot be read NO_VERDICT
without one (frame_unreadable).
"""

import argparse
import json
import logging
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.progress_file import report_progress_to, tell_progress
from edge.base.text import on_one_line, printable
from edge.camera import NO_PICTURE
from edge.commands.arguments import add_progress, add_settings, product_name, settings_of
from edge.engine import runtimes
from edge.events.codes import Code
from edge.product.product import load_product
from edge.station.event_headers import aligned
from edge.station.inspector import Inspector, JudgedFrame, Stopwatch
from edge.vision.crops import heatmap_on_crop
from edge.vision.frame import Frame
from edge.vision.image_files import Image, find_images, read_image, write_png
from edge.vision.turned_back import placement_in_frame, turned_back

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders")
    add("--json", action="store_true",
        help="one JSON object a line: path, score, threshold, verdict, code, alignment, "
        "regions")  # fmt: skip
    add("--maps", type=Path, metavar="DIR",
        help="write each heatmap (16-bit PNG, 65535 is 1.0) and an overlay of it here")  # fmt: skip
    add("--version", help="the product's version (default: its current one)")
    add_progress(parser)
    add_settings(parser, "product", "products", "flavour", "bit_depth")


def main(options: argparse.Namespace) -> int:
    report_progress_to(options.progress)
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    paths = find_images(*options.paths)
    if options.maps:
        options.maps.mkdir(parents=True, exist_ok=True)
    with runtimes.load(product, settings.flavour) as engine:
        inspector, unreadable = Inspector(engine, product), 0
        for number, path in enumerate(paths, start=1):
            image, code = read(path, settings.bit_depth)
            unreadable += code is not Code.NONE
            judged = inspector.inspect(Frame(image, number, 0, code=code), Stopwatch())
            print(_json(path, judged) if options.json else _line(path, judged), flush=True)
            if options.maps and judged.heatmap is not None:
                write_maps(options.maps / f"{number:04d}_{path.stem}", image, judged)
            tell_progress("judging", number, len(paths))
    if unreadable:
        log.warning("%d of %d images cannot be read: no verdict", unreadable, len(paths))
    return 2 if unreadable == len(paths) else 0


def read(path: Path, bit_depth: int | None) -> tuple[Image, Code]:
    """The image, or none with the code that a line gives a picture that cannot be read."""
    try:
        return read_image(path, bit_depth), Code.NONE
    except ImageError as error:
        log.warning("%s", error)
        return NO_PICTURE, Code.FRAME_UNREADABLE


def _json(path: Path, judged: JudgedFrame) -> str:
    verdict, code, score, threshold, regions, _, roi = judged.judgement
    alignment = aligned(judged)
    return json.dumps(
        {
            "path": printable(path),
            "score": score if math.isfinite(score) else None,
            "threshold": threshold,
            "roi": roi,
            "verdict": verdict,
            "code": code.name.lower(),
            "alignment": alignment and alignment.model_dump(),
            "regions": [region.model_dump() for region in regions],
        }
    )


def _line(path: Path, judged: JudgedFrame) -> str:
    verdict, code, score, threshold, regions, _, _ = judged.judgement
    limit = "no threshold" if threshold is None else f"threshold {threshold:.4f}"
    why = f"{len(regions)} regions" if verdict == "NG" else code.name.lower() if code else ""
    if judged.quality is not None:
        why = f"{why} alignment {judged.quality:.2f}".lstrip()
    shown = f"score {score:.4f}" if math.isfinite(score) else "no score"
    return f"{verdict:<10} {shown}  {limit}  {on_one_line(path)}  {why}".rstrip()


def write_maps(stem: Path, image: Image, judged: JudgedFrame) -> None:
    """`<stem>_heatmap.png` at the model's size, and `<stem>_overlay.png` at the image's."""
    if judged.heatmap is None or judged.placement is None:
        return
    heat = np.nan_to_num(judged.heatmap).clip(0, 1)
    write_png(stem.with_name(stem.name + "_heatmap.png"), (heat * 65535).round().astype(np.uint16))
    write_png(stem.with_name(stem.name + "_overlay.png"), overlay(image, heat, judged))


def overlay(image: Image, heat: NDArray[np.float32], judged: JudgedFrame) -> Image:
    """The image with its heat in colours where there is any, and a box around each region."""
    shown = image.copy()
    if judged.placement is None:
        return shown
    where = placement_in_frame(judged.placement)
    x, y, width, height = where.crop
    large = heatmap_on_crop(turned_back(heat, judged.placement), where)
    colours = cv2.applyColorMap((large * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    part = shown[y : y + height, x : x + width]
    strength = large[..., None] * 0.7
    part[:] = (part * (1 - strength) + colours * strength).astype(np.uint8)
    for region in judged.judgement.regions:
        left, top, wide, high = region.box
        cv2.rectangle(shown, (left, top), (left + wide, top + high), (0, 0, 255), 2)
    return shown
