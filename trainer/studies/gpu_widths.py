"""What a GPU reaches in some minutes: widths at 256x256 with the paper's schedule, and its steps.

Everything happens in this process with the trained networks themselves: no engine, no product, no
network. DIR is in MVTec's layout; each width's figures are printed as one JSON object when it is
done, the step's figures last.
"""

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

import torch

from edge.base.errors import DraemError
from edge.commands.arguments import parse_size, parse_widths
from trainer.data.layout import samples
from trainer.data.sources import load_sources
from trainer.evaluation.evaluate import judge_all, measure
from trainer.studies import bench_training
from trainer.studies.ablation import Networks
from trainer.training.distributed import World, pick_device
from trainer.training.malloc import keep_freed_memory
from trainer.training.options import make_settings
from trainer.training.train import Images, count_steps, train
from trainer.training.train_settings import PRESETS, TrainSettings

WIDTHS = ((128, 64), (64, 32), (32, 16), (16, 8), (8, 4))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gpu_study", description=__doc__)
    parser.add_argument("images", type=Path, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=4, help="for each width (default 4)")
    parser.add_argument("--widths", type=parse_widths, nargs="+", default=WIDTHS, metavar="REC/SEG")
    parser.add_argument("--input", type=parse_size, default=(256, 256), metavar="HxW")
    parser.add_argument("--batch", type=int, default=8, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=20, help="of steps (default 20)")
    options = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    keep_freed_memory()
    world = World(pick_device("auto"))
    try:
        for widths in options.widths:
            print(json.dumps(one(options, widths, world)), flush=True)
        settings = settings_of(options, options.widths[0])
        steps = bench_training.measure(settings, world, options.pairs)
        print(json.dumps({"device": name(world)} | dataclasses.asdict(steps)))
    except DraemError as error:
        print(f"gpu_study: {error}", file=sys.stderr)
        return 2
    return 0


def settings_of(options: argparse.Namespace, widths: tuple[int, int]) -> TrainSettings:
    """The paper's preset, but for widths, time and what was asked for."""
    asked = {
        "images": options.images, "product": "gpu-study", "products": Path(), "epochs": None,
        "minutes": options.minutes, "batch": options.batch, "seed": options.seed, "rotation": 0,
        "rec_width": widths[0], "seg_width": widths[1],
        "height": options.input[0], "width": options.input[1],
    }  # fmt: skip
    return make_settings(PRESETS["paper"] | asked)


def one(options: argparse.Namespace, widths: tuple[int, int], world: World) -> dict[str, object]:
    """Train one width and measure it on the test images."""
    settings = settings_of(options, widths)
    sources = load_sources(settings.images, settings.fit, settings.seed)
    images = Images(sources.part("train"), sources.part("validation"), sources.digest)
    settings = count_steps(settings, images, world)
    done = train(settings, images, world)
    judge = Networks(done.model.to(world.device))
    figures = measure(judge_all(settings.fit, judge, samples(settings.images)))
    pixels = dataclasses.asdict(figures.pixels) if figures.pixels else None
    return {
        "data": settings.images.name,
        "widths": "{}/{}".format(*widths),
        "input": "{}x{}".format(*options.input),
        "seed": options.seed,
        "steps": settings.steps,
        "seconds": round(done.seconds, 1),
        "device": name(world),
        "image_auroc": figures.image_auroc,
        "pixels": pixels,
        "by_defect": {kind: one.image_auroc for kind, one in figures.by_defect.items()},
    }


def name(world: World) -> str:
    """The GPU's name, or that there is none."""
    return torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "CPU"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
