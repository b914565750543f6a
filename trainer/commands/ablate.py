"""Leave out or replace parts of the method, and measure on your own images what each brings.

DIR holds good images to train on and labelled ones with masks to measure on, in MVTec's or DAGM's
layout. Every variant of the network is trained alike, for as many steps; those of --network pixels
are the paper's, printed beside its figures. Variants with another encoder are left out unless
--only names them: lite1 and lite2 need a package.
An interrupted ablation is continued; finished variants are kept in --runs.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from edge.base.errors import SettingsError
from trainer.training.options import (
    add_training,
    chosen,
    complete_settings,
    given_settings,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("images", type=Path, metavar="DIR", help="a data set with labelled defects")
    add("--only", metavar="NAMES", help="some variants, separated by commas")
    add("--json", action="store_true", help="print one JSON object a variant")
    add("--runs", type=Path, default=Path("runs/ablation"), metavar="DIR", help="where it is kept")
    add("--restart", action="store_true", help="discard another ablation in --runs")
    add_training(parser)


def main(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from trainer.studies.ablation import ablate
    from trainer.studies.variants import VARIANTS
    from trainer.training.distributed import ProcessGroup, pick_device

    places = {"product": "ablation", "products": options.runs, "runs": options.runs}
    values = chosen(given_settings(options))
    if values.get("archived"):
        raise SettingsError("an ablation takes folders alone: leave out 'archive:...' of --also")
    usual = {"simulation": "paper"} if values["network"] == "pixels" else {}
    settings = complete_settings(usual | values | places)
    variants = VARIANTS[settings.network]
    usual_names = [name for name, variant in variants.items() if not variant.needs_package]
    names = [n.strip() for n in options.only.split(",")] if options.only else usual_names
    unknown = [name for name in names if name not in variants]
    if unknown:
        raise SettingsError(f"no variant '{unknown[0]}': choose from {', '.join(variants)}")
    group = ProcessGroup(pick_device(settings.device))
    rows = ablate(settings, names, options.runs, group, restart=options.restart)
    published = {name: variants[name].published or (None, None, None) for name in names}
    if options.json:
        for row in rows:
            beside = dict(zip(PUBLISHED, published[row.variant], strict=True))
            print(json.dumps(asdict(row) | {"published": beside}))
        return 0
    others = ("here", "paper") if settings.network == "pixels" else ("here",)
    table = Table("variant", *(f"{head}, {who}" for head in HEADS for who in others),
                  title=f"{rows[0].steps} steps, {options.images}")  # fmt: skip
    for row in rows:
        here = (row.image_auroc, row.pixel_auroc, row.pixel_ap)
        pairs = zip(here, published[row.variant], strict=True)
        cells = (value for pair in pairs for value in pair[: len(others)])
        table.add_row(row.variant, *("" if value is None else f"{value:.1f}" for value in cells))
    Console(width=120).print(table)
    if settings.network == "pixels":
        print("the paper's are means over MVTec AD's 15 classes, 700 epochs at 128/64 and 256x256")
    return 0


PUBLISHED = ("image_auroc", "pixel_auroc", "pixel_ap")
HEADS = ("image AUROC", "pixel AUROC", "pixel AP")
