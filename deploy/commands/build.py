"""Compile the product's model into the engine of this device, and prove it.

The engine has to give the trained network's scores and maps on the product's golden frames, and
must not give those of an untrained one. Only a proven engine is put in place.
"""

import argparse
import logging
import time

from deploy.build import build
from edge.arguments import add_settings, product_name, settings_of
from edge.product import load_product

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version", default="newest", help="the product's version (default: its newest one)"
    )
    add_settings(parser, "product", "products")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    start = time.monotonic()
    record = build(product)
    log.info(
        "%s version %s: built for %s (%s) in %.1f s",
        *(product.name, product.version, record.key.device, record.key.flavour),
        time.monotonic() - start,
    )
    log.info(
        "proven: score within %.5f, map within %.5f (99.9 %%), at most %.5f",
        *(record.proof[name] for name in ("score_max", "map_p999", "map_max")),
    )
    return 0
