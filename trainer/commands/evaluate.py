"""Measure a product on labelled images, through this device's engine.

DIR is in MVTec's layout (test/good, test/<defect>, ground_truth/<defect>/<name>_mask.png), DAGM's
(Test/*.PNG, Test/Label/<name>_label.PNG), or holds folders such as OK and NG, or images beside
their masks (docs/training.md). The product's own verdicts decide what was found. Pixels are
compared at 256x256; a mask is reduced so that no pixel of a defect is lost. --report writes a page
with plots and the worst images.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from edge.base.errors import SettingsError
from edge.commands.arguments import add_settings, product_name, settings_of

if TYPE_CHECKING:
    from trainer.evaluation.evaluate import Metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=Path, metavar="DIR", help="labelled images")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--report", type=Path, metavar="HTML", help="write a page with plots and the worst images"
    )
    parser.add_argument("--version", help="the product's version (default: its current one)")
    add_settings(parser, "product", "products", "flavour", "bit_depth")


def main(options: argparse.Namespace) -> int:
    from edge.base.console import track
    from edge.engine import runtimes
    from edge.product.product import load_product
    from trainer.data.layout import count_samples, samples
    from trainer.evaluation.evaluate import measure, score_all
    from trainer.evaluation.report import write_report

    if options.report and not options.report.absolute().parent.is_dir():
        raise SettingsError(f"--report {options.report}: its folder does not exist: make it first")
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    total = count_samples(options.images)
    with runtimes.load(product, settings.flavour) as engine:
        labelled = samples(options.images, settings.bit_depth)
        scored = score_all(
            product.fit,
            engine.infer,
            track(labelled, "scoring", total=total),
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
    return 0


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
                    "sharpness is not that of the calibration): they count as rejected"
                )
    return lines
