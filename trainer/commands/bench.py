"""Milliseconds of each stage, and the engine against others; or of a training step.

Frames (640x480) come from the simulated line unless --source names others; events go to a
subscriber in another process. The engine is compared with others on the same frames in turn: on a
CPU with the other precisions (but int8, which only 'draem build' makes), and where torch is found
with torch eager, with the product's float32 weights and, where it has no tiles, with the paper's
128/64 network.

'draem bench train' times the steps of a training: the share of the simulation of anomalies, and the
authors' recipe (float32, contiguous, each image simulated in the loader) in turn with this one. It
needs no product.
"""

import argparse
import dataclasses
import importlib.util
import json
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge.commands.arguments import (
    add_settings,
    parse_count,
    parse_size,
    parse_whole,
    parse_widths,
    product_name,
    settings_of,
)
from edge.commands.doctor import processor
from edge.engine import Engine, runtimes
from edge.engine.plan import Key
from edge.engine.tiled import for_pictures
from edge.product.product import Product, load_product
from edge.vision.frame import Frame
from edge.vision.tiles import TilePlan
from trainer.studies.bench_rivals import precision_rivals, torch_rivals
from trainer.studies.bench_stages import Rival, frames, pairs, percentiles, stages

SOURCE = "line://machined?rate=0&defects=0.2"
BESIDE_INFER = ("fit", "judge", "encode", "receive")  # receive contains send


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", nargs="?", choices=["line", "train"], default="line",
        help="the line's stages, or a training's steps")  # fmt: skip
    add("--frames", type=parse_count, default=300, metavar="N", help="default 300")
    add("--json", action="store_true", help="print one JSON object")
    add("--version", help="the product's version (default: its current one)")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept")
    add("--paper", type=parse_whole, default=3, metavar="N", help="frames that the paper's network "
        "judges for comparison, seconds each (default 3)")  # fmt: skip
    add_settings(parser, "product", "products", "flavour", "source")
    training = parser.add_argument_group("for 'draem bench train'")
    training.add_argument("--widths", type=parse_widths, default=(64, 32), metavar="REC/SEG")
    training.add_argument("--input", type=parse_size, default=(256, 256), metavar="HxW")
    training.add_argument("--batch", type=parse_count, default=8, metavar="N")
    training.add_argument("--pairs", type=parse_count, default=5, metavar="N", help="default 5")


def main(options: argparse.Namespace) -> int:
    if options.what == "train":
        return bench_training(options)
    settings = settings_of(options)
    product = load_product(settings.products, product_name(settings), options.version)
    plan = runtimes.proven_plan(product, settings.flavour)
    with for_pictures(runtimes.open_plan(plan, product), product) as engine:
        pictures = frames(product, settings.source or SOURCE)
        times = stages(engine, product, pictures, options.frames)
        compared = comparison(engine, plan.record.key, product, pictures, options)
    beside = [sum(ms) for ms in zip(*(times[stage] for stage in BESIDE_INFER), strict=True)]
    figures = {
        "product": f"{product.name} version {product.version}",
        "frame": "{1}x{0}".format(*pictures[0].image.shape[:2]),
        "input": describe(product),
        "widths": f"{product.manifest.rec_width}/{product.manifest.seg_width}",
        "machine": f"{processor()}, Python {platform.python_version()}",
        "frames": options.frames,
        "stages_ms": {stage: percentiles(ms) for stage, ms in times.items()},
        "all_but_infer_ms": percentiles(beside),
        "engine": f"{plan.record.key.flavour} {plan.record.key.precision}",
        "compared": compared,
    }
    print(json.dumps(figures)) if options.json else show(figures)
    return 0


def describe(product: Product) -> str:
    """The size of what is judged, and of its tiles."""
    fit, tile = product.fit, product.manifest.tile
    if tile is None:
        return f"{fit.width}x{fit.height}"
    count = len(TilePlan(fit.height, fit.width, tile).places)
    return f"{fit.width}x{fit.height} in {count} tiles of {tile.width}x{tile.height}"


def bench_training(options: argparse.Namespace) -> int:
    """Print the figures of a training step."""
    from trainer.studies.bench_training import measure
    from trainer.training.distributed import ProcessGroup, pick_device
    from trainer.training.options import chosen, make_settings

    settings = make_settings(
        chosen(
            {
                "network": "pixels",
                "widths": options.widths,
                "input": options.input,
                "batch": options.batch,
            }
        )
        | {"images": Path(), "product": "bench", "products": Path()}
    )
    figures = measure(settings, ProcessGroup(pick_device("auto")), options.pairs)
    if options.json:
        print(json.dumps(dataclasses.asdict(figures)))
        return 0
    size = "widths {}/{}, {}x{}".format(*options.widths, *options.input[::-1])
    print(f"{size}, {options.batch} images a step, {processor()}")
    print(f"a step                     {figures.step_ms:.0f} ms")
    print(f"  simulating its anomalies {figures.simulation_share:.1%}")
    print(f"the authors' recipe        {figures.authors_step_ms:.0f} ms a step")
    print(f"takes {figures.ratio:.2f} times as long (median of {figures.pairs} pairs)")
    return 0


def comparison(
    engine: Engine, key: Key, product: Product, pictures: list[Frame], options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Milliseconds of the engine and of its rivals on the same frames in turn."""
    fitted = [product.fit(frame.image)[0] for frame in pictures]
    rivals: dict[str, Rival] = {}
    with ExitStack() as opened:
        if key.flavour == "openvino":
            others = precision_rivals(product, key.precision, options.frames)
            rivals |= opened.enter_context(others)
        if importlib.util.find_spec("torch") is not None:
            # The paper's network has no tiles, and takes no picture of their size.
            paper = options.paper if product.manifest.tile is None else 0
            rivals |= torch_rivals(product, options.runs, options.frames, paper)
        return pairs(engine.infer, rivals, fitted, options.frames)


def show(figures: dict[str, Any]) -> None:
    """Print the figures as two tables."""
    title = ", ".join(figures[name] for name in ("product", "frame", "input", "widths", "machine"))
    table = Table("stage", "p50 ms", "p99 ms", title=title)
    rows = figures["stages_ms"] | {"all but infer": figures["all_but_infer_ms"]}
    for name, row in rows.items():
        table.add_row(name, f"{row['p50']:.2f}", f"{row['p99']:.2f}")
    others = Table("in turn", "p50 ms", "p99 ms", "times as long", title=figures["engine"])
    for name, row in figures["compared"].items():
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        others.add_row(name, f"{row['p50']:.2f}", f"{row['p99']:.2f}", ratio)
    console = Console()
    console.print(table)
    console.print(others)
