"""The runs of the studies: each is one training of `draem train`, told in its own words."""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from edge.base.errors import ImageError
from trainer.studies.results_file import ROOT, WORK
from trainer.training import options
from trainer.training.distributed import World
from trainer.training.session import all_sources
from trainer.training.train import Images, steps_in, time_training
from trainer.training.train_settings import TrainSettings


@dataclass(frozen=True)
class Run:
    """One training on one core of the set's good images, 128x128 unless `options` say otherwise,
    4 images a step.

    A short one learns more from textures alone, a long one from the mixture (docs/results.md).
    `options` are further ones of `draem train`.
    """

    study: str
    data: str
    widths: str
    minutes: float
    simulation: Literal["mixed", "paper"]
    seed: int = 0
    options: tuple[str, ...] = ()

    @property
    def product(self) -> str:
        widths = self.widths.replace("/", "-")
        return f"{self.data}_{widths}_{self.minutes:g}min_{self.simulation}_{self.seed}"

    @property
    def words(self) -> tuple[str, ...]:
        """What `draem train` is told, but for the number of steps."""
        return (str(data_folder() / self.data), "--product", self.product,
                "--widths", self.widths, "--batch", "4", "--seed", str(self.seed),
                "--simulation", self.simulation, *self.options)  # fmt: skip


WIDTHS = ("64/32", "32/16", "16/8", "8/4")
SETS = ("mvtec_bottle", "mtd")
TURNED = ("--rotation", "180", "--validate-every", "500")  # bottles lie as they fall
VARIED = ("--mirror", "--light", "0.25", "--validate-every", "1000")  # tiles come in many looks
PLANS = {
    "widths": [Run("widths", data, widths, 15, "paper") for data in SETS for widths in WIDTHS],
    "targets": [
        *(Run("targets", "mvtec_bottle", "32/16", 35, "mixed", seed, TURNED) for seed in range(3)),
        Run("targets", "mtd", "8/4", 50, "mixed", 0, VARIED),
    ],
}


def data_folder() -> Path:
    """Where the real images are."""
    return Path(os.environ.get("DATA", ROOT.parent / "shared/data")).resolve()


def settings_of(run: Run) -> TrainSettings:
    """The settings that `draem train` makes of the run's words."""
    parser = argparse.ArgumentParser()
    options.add_arguments(parser)
    given = options.given_settings(parser.parse_args(run.words))
    places = {"product": run.product, "products": WORK, "device": "cpu"}
    return options.make_settings(options.chosen(given) | places)


def plan_steps(run: Run) -> int:
    """How many steps fit into the run's minutes of one core, timed by that core's own clock."""
    folder = data_folder() / run.data
    if not (folder / "train" / "good").is_dir():
        raise ImageError(f"no images in {folder}: set DATA to the folder of the data sets")
    settings = settings_of(run)
    torch.set_num_threads(1)
    sources = all_sources(settings)
    images = Images(sources.part("train"), sources.part("validation"))
    world = World(torch.device("cpu"))
    times = time_training(settings, images, world, time.thread_time)
    return steps_in(run.minutes, times, settings.validate_every)
