"""Train DRAEM on images of good parts: a new version of the product.

DIR is a plain folder of good images, or a data set of which the good training images are taken:
with OK and NG, with masks, in MVTec's, VisA's or DAGM's layout and others (docs/training.md). Some
images are set aside: a tenth to choose the best weights with, on simulated anomalies, and a fifth
for 'draem calibrate'. --also 'archive:label=false-reject since=30d' adds parts of an archive. The
float32 weights, a report and TensorBoard's curves are kept under --runs. --resume continues an
interrupted training. The next step is 'draem build'.
"""

import argparse
import logging
import tempfile
from pathlib import Path
from typing import cast

from edge.archive.places import ArchiveAddress, fixed_query
from edge.base.errors import SettingsError
from edge.base.progress_file import report_progress_to
from edge.commands.archives.address import add_archive_of_queries, address_of_queries
from edge.commands.arguments import add_progress, add_settings, product_name, settings_of
from edge.vision.marked_images import ARCHIVE
from trainer.training.options import (
    add_training,
    chosen,
    complete_settings,
    flag,
    given_settings,
)
from trainer.training.settings import TrainSettings

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("images", type=Path, nargs="?", metavar="DIR", help="good images")
    unfinished = parser.add_mutually_exclusive_group()
    unfinished.add_argument("--resume", action="store_true", help="continue an unfinished training")
    unfinished.add_argument("--restart", action="store_true", help="discard an unfinished training")
    add("--preview", type=Path, metavar="PNG", help="only show what the network would see")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept")
    add_progress(parser)
    add_training(parser)
    add_archive_of_queries(parser)
    add_settings(parser, "product", "products", "bit_depth")


def main(options: argparse.Namespace) -> int:
    report_progress_to(options.progress)
    station = settings_of(options)
    name = product_name(station)
    given, archive = given_settings(options), address_of_queries(options)
    if options.resume:
        if given:
            raise SettingsError(
                "--resume continues with the settings of the unfinished training: leave out "
                + ", ".join("the folder" if k == "images" else flag(k) for k in sorted(given))
            )
        return run(name, options.runs, None, archive)
    if "images" not in given:
        raise SettingsError("no images named: give a folder of images of good parts")
    if str(given["images"]).startswith(ARCHIVE):
        raise SettingsError(
            f"{given['images']} goes with --also: an archive has parts that were selected, which "
            "do not show how good ones vary; name a folder of good images"
        )
    places = {"product": name, "products": station.products, "runs": options.runs}
    values = chosen(given) | {"bit_depth": station.bit_depth} | places
    queries = cast(list[str], values.get("archived", []))
    values["archived"] = [fixed_query(text, name) for text in queries]
    settings = complete_settings(values)
    if options.preview:
        return preview(settings, archive, options.preview)
    return run(name, options.runs, settings, archive, restart=options.restart)


def preview(settings: TrainSettings, archive: ArchiveAddress, path: Path) -> int:
    """Write a sheet of simulated anomalies, and do not train."""
    from edge.vision.image_files import write_png
    from trainer.training.batches import training_images
    from trainer.training.job import read_sources
    from trainer.training.preview import sheet

    write_png(path, sheet(settings, training_images(settings, read_sources(settings, archive))))
    log.info("%s shows good images, the same with anomalies, and the masks", path)
    return 0


def run(
    name: str,
    runs: Path,
    settings: TrainSettings | None,
    archive: ArchiveAddress,
    *,
    restart: bool = False,
) -> int:
    """Train, or resume where there are no settings, and write the product."""
    from edge.product.product import check_name
    from trainer.training.job import TrainingJob, run_job

    check_name(name)
    for folder in (runs, settings.products if settings else runs):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass  # a folder that cannot be written is better refused before the training
    product = run_job(TrainingJob(name, runs, settings, restart, archive))
    if product is not None:
        log.info(
            "%s version %s is trained (%.0f s): next 'draem build --product %s'",
            *(product.name, product.version, product.manifest.origin["seconds"], product.name),
        )
    return 0
