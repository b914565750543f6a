"""Measure a product on labelled images, through this device's engine.

DIR is in MVTec's layout (test/good, test/<defect>, ground_truth/<defect>/<name>_mask.png), DAGM's
(Test/*.PNG, Test/Label/<name>_label.PNG), or holds folders such as OK and NG, or images beside
their masks (docs/training.md). The product's own verdicts decide what was found. Pixels are
compared at 256x256; a mask is reduced so that no pixel of a defect is lost. --report writes a page
with plots and the worst images. 'archive:QUERY' instead takes labelled parts of an archive.
--against judges the images with two versions and lists those that they judge differently.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge.archive.data_set import archived_pictures
from edge.archive.places import fixed_query, parse_place
from edge.base.errors import SettingsError
from edge.commands.archives.address import add_archive_of_queries, address_of_queries
from edge.commands.arguments import add_settings, product_name, settings_of
from edge.station.settings import Station

if TYPE_CHECKING:
    from edge.product.product import Product
    from trainer.data.layout import LabelledImages
    from trainer.evaluation.compare import Part
    from trainer.evaluation.evaluate import Metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("images", type=parse_place, metavar="DIR", help="labelled images, or 'archive:QUERY'")
    add("--against", metavar="VERSION", help="list the images that another version of the product "
        "judges differently; of an archive also parts without a label")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object")
    add("--report", type=Path, metavar="HTML", help="write a page with plots and the worst images; "
        "with --against those judged differently")  # fmt: skip
    add("--version", help="the product's version (default: its current one)")
    add_archive_of_queries(parser)
    add_settings(parser, "product", "products", "flavour", "bit_depth")


def main(options: argparse.Namespace) -> int:
    from edge.product.product import load_product

    if options.report and not options.report.absolute().parent.is_dir():
        raise SettingsError(f"--report {options.report}: its folder does not exist: make it first")
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    if options.against is None:
        with _labelled(options, product) as found:
            evaluate(product, found, options, settings)
        return 0
    from trainer.evaluation.compare import check_versions

    other = load_product(settings.products, product.name, options.against)
    check_versions(product, other)
    with _parts(options, (product, other)) as parts:
        compare(product, other, parts, options, settings)
    return 0


@contextmanager
def _labelled(options: argparse.Namespace, product: "Product") -> "Iterator[LabelledImages]":
    """The images of a folder, or those of an archive until the block ends."""
    from trainer.data.archived import labelled, warn_of_seen
    from trainer.data.layout import find_labelled

    if isinstance(options.images, Path):
        yield find_labelled(options.images)
        return
    queries = [fixed_query(options.images, product.name)]
    with archived_pictures(queries, address_of_queries(options), "labelled") as pictures:
        warn_of_seen(pictures, product)
        yield labelled(pictures)


@contextmanager
def _parts(
    options: argparse.Namespace, versions: "tuple[Product, Product]"
) -> "Iterator[list[Part]]":
    """What two versions are compared on."""
    from trainer.data.archived import warn_of_seen
    from trainer.data.layout import find_labelled
    from trainer.evaluation.compare import of_archive, of_folder

    if isinstance(options.images, Path):
        yield of_folder(find_labelled(options.images))
        return
    queries = [fixed_query(options.images, versions[0].name)]
    with archived_pictures(queries, address_of_queries(options), "any") as pictures:
        for product in versions:
            warn_of_seen(pictures, product)
        yield of_archive(pictures)


def evaluate(
    product: "Product", found: "LabelledImages", options: argparse.Namespace, settings: Station
) -> None:
    """Score the images and print the figures."""
    from edge.base.console import track
    from edge.engine import runtimes
    from trainer.data.layout import read_samples
    from trainer.evaluation.evaluate import measure
    from trainer.evaluation.report import write_report
    from trainer.evaluation.scored_images import score_all

    with runtimes.load(product, settings.flavour) as engine:
        labelled = read_samples(found, settings.bit_depth)
        scored = score_all(
            product.fit,
            engine.infer,
            track(labelled, "scoring", total=len(found.kinds)),
            product.calibration,
            product.manifest.score_window,
        )
    geometry, threshold = product.fit.geometry, None
    if product.calibration:
        geometry, whole = product.calibration.geometry, product.calibration.whole_threshold
        threshold = 1.0 if whole is None else whole
    metrics = measure(scored, threshold, list(geometry.regions_of_interest) if geometry else [])
    if options.report:
        write_report(options.report, product, scored, metrics, settings.bit_depth)
    print(json.dumps(dataclasses.asdict(metrics)) if options.json else text(metrics))


def compare(
    product: "Product",
    other: "Product",
    parts: "list[Part]",
    options: argparse.Namespace,
    settings: Station,
) -> None:
    """Judge the parts with both versions and print what differs."""
    from edge.engine import runtimes
    from trainer.evaluation.compare import comparison, judge_all, lines
    from trainer.evaluation.report import write_comparison

    judged = []
    for version in (product, other):  # one engine at a time: a device may have room for one
        with runtimes.load(version, settings.flavour) as engine:
            judged.append(judge_all(version, engine.infer, parts, settings.bit_depth))
    found = comparison(product, other, parts, judged[0], judged[1])
    if options.report:
        write_comparison(options.report, product, found, parts, settings.bit_depth)
    print(json.dumps(dataclasses.asdict(found)) if options.json else "\n".join(lines(found)))


def text(metrics: "Metrics") -> str:
    """The figures as lines."""
    lines = [
        f"{metrics.images} images, {metrics.defective} of them defective",
        f"image AUROC {metrics.image_auroc:.4f}",
    ]
    whole = metrics.pixels
    if whole is None:
        lines.append("pixels      no masks found")
    else:
        lines += [
            f"pixel AUROC {whole.auroc:.4f}",
            f"pixel AP    {whole.ap:.4f} ({whole.ap_as_authors:.4f} with the authors' mask rule)",
            f"AUPRO       {whole.aupro:.4f} (to 0.3 false positives)",
        ]
        if whole.defective < metrics.defective:
            lines.append(
                f"pixel figures are of {whole.defective} of {metrics.defective} defective images: "
                "the others have no mask"
            )
    for kind, one in metrics.by_defect.items():
        p = one.pixels
        ap = f"pixel AUROC {p.auroc:.4f}, AP {p.ap:.4f}, AUPRO {p.aupro:.4f}" if p else "no masks"
        lines.append(
            f"  {kind:<16} {one.images:>4} images, image AUROC {one.image_auroc:.4f}, {ap}"
        )
    if metrics.regions:
        lines.append(
            f"in the regions of interest {', '.join(metrics.regions)} alone; scores are shares of "
            "their thresholds"
        )
    if metrics.outside:
        lines.append(f"{metrics.outside} defects lie outside of the regions of interest")
    return "\n".join(lines + _rates(metrics))


def _rates(metrics: "Metrics") -> list[str]:
    """What is found and passed at both thresholds."""
    lines = []
    pairs = (("its threshold", metrics.calibrated), ("the best possible", metrics.best_possible))
    for name, rates in pairs:
        if rates is not None:
            lines.append(
                f"at {name}, {rates.threshold:.4f}: {rates.true_positive:.1%} of the defective "
                f"found (TPR), {rates.true_negative:.1%} of the good passed (TNR), "
                f"accuracy {rates.accuracy:.1%}"
            )
            if rates.without_verdict:
                lines.append(
                    f"  {rates.without_verdict} images had no verdict (their light, contrast or "
                    "sharpness is not that of the calibration, or the part was not aligned): they "
                    "count as rejected"
                )
    return lines
