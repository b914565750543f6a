"""Set the score threshold from good frames that training did not see, through this engine.

By default those that 'draem train' set aside; --images names others. The calibrated product is a
new version. It becomes the current one, unless that was released: then 'draem release' activates.
"""

import argparse
import logging
import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.frames import held_out, unseen
from calibration.threshold import calibrate
from edge.arguments import add_settings, product_name, settings_of
from edge.engine import flavours
from edge.engine.plan import Key
from edge.errors import ImageError
from edge.files import write_json
from edge.images import read_images, write_png
from edge.judge import measure
from edge.product import Calibration, Product, load_product
from edge.progress import track
from edge.versions import finish_version, new_version, offer

log = logging.getLogger(__name__)

KEPT_FRAMES = 200
FEWEST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, metavar="DIR", help="good frames to calibrate from")
    parser.add_argument(
        "--false-reject-rate",
        type=_rate,
        default=0.005,
        metavar="RATE",
        help="the share of good parts that may be rejected (default 0.005)",
    )
    parser.add_argument(
        "--version", default="newest", help="the product's version (default: its newest one)"
    )
    add_settings(parser, "product", "products", "flavour", "bit_depth")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    paths = unseen(product, options.images) if options.images else held_out(product)
    fitted = _fitted(product, paths, settings.bit_depth)
    scores, heatmaps = [], []
    with flavours.load(product, settings.flavour) as engine:
        for frame in track(fitted, "judging good frames"):
            score, heatmap = engine.infer(frame[None])
            scores.append(float(score[0]))
            heatmaps.append(heatmap[0])
    ranking = sorted(zip(scores, paths, strict=False), reverse=True)
    for highest, path in ranking[:3]:
        log.info("among the highest scores: %.4f %s", highest, path)
    if not np.isfinite(scores).all():
        raise ImageError("a good frame has no finite score: build the engine again, or train again")
    made, threshold = calibrate(
        np.array(scores),
        np.stack(heatmaps),
        [measure(f) for f in fitted],
        options.false_reject_rate,
        [f"{i:03d}.png" for i in range(min(len(fitted), KEPT_FRAMES))],
    )
    new = save(product, made, fitted, flavours.plan_key(product, flavours.pick(settings.flavour)))
    log.info(
        "%s version %s is calibrated: threshold %.4f from %d good frames",
        *(new.name, new.version, made.threshold, len(scores)),
    )
    if threshold.promised_rate > options.false_reject_rate + 1e-9:
        needed = int(np.ceil(1 / options.false_reject_rate)) - 1
        log.warning(
            "%d frames can promise a false-reject rate of %.4f, not %.4f: %d frames are needed",
            *(len(scores), threshold.promised_rate, options.false_reject_rate, needed),
        )
    return 0


def save(
    product: Product, calibration: Calibration, fitted: list[NDArray[np.uint8]], key: Key
) -> Product:
    """A new version: the old one's files by hard link, the calibration beside them.

    Of the engines it takes the one with `key`, that the thresholds were found through; another has
    to be built again, and to show that it gives the same scores.
    """
    with new_version(product.path.parent.parent, product.name) as draft:
        old = [name for name in product.manifest.files if not name.startswith("calibration")]
        plans = [p.relative_to(product.path) for p in product.engines.glob(f"{key.name}[-.]*")]
        for path in (*map(Path, old), *plans):
            (draft / path).parent.mkdir(exist_ok=True)
            _link(product.path / path, draft / path)
        write_json(draft / "calibration.json", calibration.model_dump())
        (draft / "calibration").mkdir()
        for name, frame in zip(calibration.frames, fitted, strict=False):
            write_png(draft / "calibration" / name, frame)
        new = finish_version(draft, product.manifest)
    offer(new)
    return new


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the disk knows none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _fitted(product: Product, paths: list[Path], bit_depth: int | None) -> list[NDArray[np.uint8]]:
    """Each image as the engine will see it. Raises ImageError for too few."""
    images: list[NDArray[np.uint8]] = []
    for path, image in read_images(*paths, bit_depth=bit_depth):
        try:
            images.append(product.fit(image)[0])
        except ValueError as error:
            raise ImageError(f"{path}: {error}") from error
    if len(images) < FEWEST:
        raise ImageError(
            f"{len(images)} good frames are too few: give at least {FEWEST} with --images DIR"
        )
    return images


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("a share between 0 and 1")
    return value
