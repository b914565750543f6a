"""Milliseconds of each stage, and the engine against torch eager.

Frames (640x480) come from the simulated line unless --source names others; events go to a
subscriber in another process. Where torch and the product's float32 weights are at hand, engine and
torch judge the same frames in turn.
"""

import argparse
import importlib.util
import json
import logging
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge.arguments import add_settings, product_name, settings_of
from edge.bench import frames, percentiles, stages
from edge.commands.doctor import processor
from edge.engine import Engine, openvino
from edge.errors import ProductError
from edge.frame import Frame
from edge.product import Product, load_product

log = logging.getLogger(__name__)

SOURCE = "line://machined?rate=0&defects=0.2"
BESIDE_INFER = ("fit", "judge", "encode", "receive")  # receive contains send


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=_count, default=300, metavar="N", help="default 300")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", help="the product's version (default: its current one)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept"
    )
    add_settings(parser, "product", "products", "source")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    with openvino.load(product) as engine:
        pictures = frames(product, settings.source or SOURCE)
        times = stages(engine, product, pictures, options.frames)
        pairs = torch_pairs(engine, product, pictures, options)
    figures: dict[str, object] = {
        "product": f"{product.name} version {product.version}",
        "frame": "{1}x{0}".format(*pictures[0].image.shape[:2]),
        "input": f"{product.shape[1]}x{product.shape[0]}",
        "widths": f"{product.manifest.rec_width}/{product.manifest.seg_width}",
        "machine": f"{processor()}, Python {platform.python_version()}",
        "frames": options.frames,
        "stages_ms": {stage: percentiles(values) for stage, values in times.items()},
        "all_but_infer_ms": percentiles(
            [sum(v) for v in zip(*(times[s] for s in BESIDE_INFER), strict=True)]
        ),
        "engine_and_torch": pairs,
    }
    print(json.dumps(figures)) if options.json else show(figures)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)


def torch_pairs(
    engine: Engine, product: Product, pictures: list[Frame], options: argparse.Namespace
) -> dict[str, object] | None:
    """Engine and torch eager on the same frames in turn; None without torch or the weights."""
    if importlib.util.find_spec("torch") is None:
        return None
    from trainer.bench import pairs
    from trainer.save import load_weights

    try:
        model = load_weights(product, options.runs)
    except ProductError as error:
        log.warning("%s", error)
        return None
    fitted = [product.fit(frame.image)[0] for frame in pictures]
    return pairs(engine, model, fitted, options.frames)


def show(figures: dict[str, object]) -> None:
    """The figures as a table."""
    title = ", ".join(
        str(figures[name]) for name in ("product", "frame", "input", "widths", "machine")
    )
    table = Table("stage", "p50 ms", "p99 ms", title=title)
    rows = {**_dict(figures["stages_ms"]), "all but infer": figures["all_but_infer_ms"]}
    pairs = _dict(figures["engine_and_torch"])
    rows |= {name: pairs[name] for name in ("engine", "torch eager") if name in pairs}
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.2f}" for value in _dict(row).values()))
    console = Console()
    console.print(table)
    if pairs:
        console.print(f"torch eager takes {pairs['ratio']:.2f} times as long (median of pairs)")
    else:
        console.print("no comparison: torch or the weights (--runs) are not here")


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
