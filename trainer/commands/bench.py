"""Milliseconds of each stage at 640x480 input, and the engine against torch eager.

Frames come from the simulated line, events go to a subscriber in another process. Where torch and
the product's float32 weights are at hand, engine and torch judge the same frames in turn.
"""

import argparse
import importlib.util
import json
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge.arguments import add_settings, product_name, settings_of
from edge.bench import frames, percentiles, stages
from edge.commands.doctor import processor
from edge.engine import Engine, openvino
from edge.product import Product, load_product


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="default 300")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", help="the product's version (default: its current one)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept"
    )
    add_settings(parser, "product", "products")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    with openvino.load(product) as engine:
        times = stages(engine, product, options.frames)
        pairs = torch_pairs(engine, product, options.runs, options.frames)
    figures: dict[str, object] = {
        "product": f"{product.name} version {product.version}",
        "input": f"{product.shape[0]}x{product.shape[1]}",
        "widths": f"{product.manifest.rec_width}/{product.manifest.seg_width}",
        "machine": f"{processor()}, Python {platform.python_version()}",
        "frames": options.frames,
        "stages_ms": {stage: percentiles(values) for stage, values in times.items()},
        "all_but_infer_ms": percentiles(
            [sum(v) for v in zip(*(t for s, t in times.items() if s != "infer"), strict=True)]
        ),
        "engine_and_torch": pairs,
    }
    print(json.dumps(figures)) if options.json else show(figures)
    return 0


def torch_pairs(
    engine: Engine, product: Product, runs: Path, count: int
) -> dict[str, object] | None:
    """Engine and torch eager on the same frames in turn; None where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    from trainer.bench import pairs
    from trainer.save import load_weights

    return pairs(
        engine, load_weights(product, runs), [product.fit(f.image)[0] for f in frames()], count
    )


def show(figures: dict[str, object]) -> None:
    """The figures as a table."""
    title = ", ".join(str(figures[name]) for name in ("product", "input", "widths", "machine"))
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
        console.print("torch is not installed here: no comparison")


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
