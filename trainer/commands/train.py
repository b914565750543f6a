"""Train DRAEM on images of good parts: a new version of the product.

DIR is a plain folder of good images, or a data set in MVTec's or DAGM's layout, of which the good
training images are taken. Some images are set aside: a tenth to choose the best weights with, on
simulated anomalies, and a fifth for 'draem calibrate'. The float32 weights, a report and
TensorBoard's curves stay under --runs. A training that was interrupted goes on with --resume.
The next step is 'draem build'.
"""

import argparse
import logging
import tempfile
from pathlib import Path

from edge.base.errors import SettingsError
from edge.commands.arguments import (
    product_name,
    settings_of,
)
from trainer.training.options import (
    OPTIONS,
    add_arguments,
    chosen,
    flag,
    given_settings,
    make_settings,
)
from trainer.training.train_settings import TrainSettings

__all__ = ["add_arguments", "main"]
log = logging.getLogger(__name__)


def main(options: argparse.Namespace) -> int:
    station = settings_of(options)
    name = product_name(station)
    given = given_settings(options)
    if options.resume:
        if given:
            raise SettingsError(
                "--resume goes on with the settings that the training was started with: leave out "
                + ", ".join("the folder" if k == "images" else flag(k) for k in sorted(given))
            )
        return run(name, options.runs, None)
    if "images" not in given:
        raise SettingsError("no images named: give a folder of images of good parts")
    places = {"product": name, "products": station.products, "runs": options.runs}
    settings = make_settings(chosen(given) | {"bit_depth": station.bit_depth} | places)
    if options.preview:
        return preview(settings, options.preview)
    return run(name, options.runs, settings, restart=options.restart)


OPTIONS |= dict.fromkeys(("rec_width", "seg_width"), "--widths")
"""Where a setting comes from an option of another name."""


def preview(settings: TrainSettings, path: Path) -> int:
    """A picture sheet of simulated anomalies, and no training."""
    from edge.vision.image_files import write_png
    from trainer.training.preview import sheet
    from trainer.training.session import all_sources
    from trainer.training.train import Images

    sources = all_sources(settings)
    images = Images(sources.part("train"), sources.part("validation"))
    write_png(path, sheet(settings, images))
    log.info("%s shows good images, the same with anomalies, and the masks", path)
    return 0


def run(name: str, runs: Path, settings: TrainSettings | None, *, restart: bool = False) -> int:
    """Train, or go on where there are no settings, and write the product."""
    from edge.product.product import check_name
    from trainer.training.session import TrainingJob, session

    check_name(name)
    for folder in (runs, settings.products if settings else runs):
        folder.mkdir(parents=True, exist_ok=True)
        # Better refused now than after the training.
        with tempfile.TemporaryFile(dir=folder):
            pass
    product = session(TrainingJob(name, runs, settings, restart))
    if product is not None:
        log.info(
            "%s version %s is trained (%.0f s): next 'draem build --product %s'",
            *(product.name, product.version, product.manifest.origin["seconds"], product.name),
        )
    return 0
