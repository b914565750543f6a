"""Measure a product on labelled images: image AUROC and pixel AP, through this device's engine.

DIR is in MVTec layout: test/good, test/<defect>, ground_truth/<defect>/<name>_mask.png. Pixels are
compared at 256x256.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from edge.arguments import add_settings, product_name, settings_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=Path, metavar="DIR", help="labelled images, MVTec layout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", help="the product's version (default: its current one)")
    add_settings(parser, "product", "products", "bit_depth")


def main(options: argparse.Namespace) -> int:
    from edge.engine import openvino
    from edge.product import load_product
    from trainer.evaluate import evaluate

    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    with openvino.load(product) as engine:
        metrics = evaluate(product, engine, options.images, settings.bit_depth)
    if options.json:
        print(json.dumps(dataclasses.asdict(metrics)))
    else:
        print(f"{metrics.images} images, {metrics.defective} of them defective")
        print(f"image AUROC {metrics.image_auroc:.4f}")
        pixels = "no masks found" if metrics.pixel_ap is None else f"{metrics.pixel_ap:.4f}"
        print(f"pixel AP    {pixels}")
    return 0
