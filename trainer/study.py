"""What DRAEM reaches on real images, and how narrow it may be: './just study' and './just targets'.

Each run is trained on one core for so many minutes of its time (the steps are timed once, so that
other work on the machine changes nothing), built, and evaluated on the test images. Its figures are
appended to docs/results.json, one object each; a run that is there already is left out, and one
that was interrupted goes on. The images may not be copied into the project: they are looked for in
../shared/data, or where DATA says.
"""

import argparse
import fcntl
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch

from edge.commands.doctor import processor
from edge.engine import openvino
from edge.errors import DraemError, ImageError
from edge.files import write_json
from edge.frame import Fit
from trainer.commands import train
from trainer.data import all_sources
from trainer.model import Draem
from trainer.save import Trained, save_product
from trainer.settings import TrainSettings
from trainer.state import pick_precision
from trainer.textures import procedural
from trainer.train import Images, steps_in, time_training
from trainer.world import World

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results.json"
WORK = ROOT / "local/study"
WARM_UP, TIMED = 10, 100


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
PLANS = {
    "widths": [Run("widths", data, widths, 15, "paper") for data in SETS for widths in WIDTHS],
    "targets": [
        *(Run("targets", "mvtec_bottle", "32/16", 35, "mixed", seed, TURNED) for seed in range(3)),
        Run("targets", "mtd", "16/8", 50, "mixed", 0, ("--validate-every", "1000")),
    ],
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="study", description=__doc__)
    parser.add_argument("plan", choices=[*PLANS, "times"])
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="runs at a time, a core each"
    )
    options = parser.parse_args(argv)
    WORK.mkdir(parents=True, exist_ok=True)
    if options.plan == "times":
        for widths in ("128/64", *WIDTHS):
            append(engine_times(widths))
        return 0
    left = [run for run in PLANS[options.plan] if not measured(run)]
    print(f"{len(left)} of {len(PLANS[options.plan])} runs to do, {options.jobs} at a time")
    try:
        planned = [(run, None if started(run) else plan_steps(run)) for run in left]
        with ThreadPoolExecutor(options.jobs) as pool:
            for figures in pool.map(lambda pair: carry_out(*pair), planned):
                append(figures)
    except DraemError as error:
        print(f"study: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"study: '{' '.join(error.cmd)}' failed, see above", file=sys.stderr)
        return 2
    return 0


def measured(run: Run) -> bool:
    """Whether the results hold this run's figures, trained with its options."""
    options = " ".join(run.options)
    return any(
        row["product"] == run.product and options in str(row.get("command", ""))
        for row in results()
    )


def started(run: Run) -> bool:
    """Whether its number of steps is settled: it is trained, or waits to be trained on."""
    return _product(run).is_file() or _checkpoint(run).is_file()


def _product(run: Run) -> Path:
    return WORK / "products" / run.product / "current" / "manifest.json"


def _checkpoint(run: Run) -> Path:
    return WORK / "runs" / run.product / "checkpoint.pt"


def results() -> list[dict[str, object]]:
    """The figures so far."""
    if not RESULTS.is_file():
        return []
    rows: list[dict[str, object]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def append(figures: list[dict[str, object]]) -> None:
    """Figures of one run, all or none, in the place of older ones of the same run."""
    with (WORK / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = [row for row in results() if row["product"] != figures[0]["product"]]
        write_json(RESULTS, others + figures)
    for row in figures[:2]:
        print(f"{row['product']}: {row['figure']} {row['value']:.4f}", flush=True)


def data_folder() -> Path:
    """Where the real images are."""
    return Path(os.environ.get("DATA", ROOT.parent / "shared/data")).resolve()


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


def settings_of(run: Run) -> TrainSettings:
    """The settings that `draem train` makes of the run's words."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    given = train.given_settings(parser.parse_args(run.words))
    places = {"product": run.product, "products": WORK, "device": "cpu"}
    return train.make_settings(train.chosen(given) | places)


def carry_out(run: Run, steps: int | None) -> list[dict[str, object]]:
    """Train or, without `steps`, go on training; build, evaluate."""
    folder, product = str(data_folder() / run.data), ("--product", run.product)
    if not _product(run).is_file():
        anew = (*run.words, "--steps", str(steps))
        draem("train", *(anew if steps else ("--resume", *product)))
    draem("build", *product)
    found = json.loads(draem("evaluate", folder, *product, "--json"))
    manifest = json.loads(_product(run).read_text(encoding="utf-8"))
    origin = manifest["origin"]
    common: dict[str, object] = {
        "study": run.study,
        "product": run.product,
        "data": run.data,
        "widths": run.widths,
        "input": f"{manifest['height']}x{manifest['width']}",
        "simulation": run.simulation,
        "score_window": manifest["score_window"],
        "seed": run.seed,
        "steps": origin["steps"],
        "core_minutes": run.minutes,
        "seconds": origin["seconds"],
        "command": f"OMP_NUM_THREADS=1 draem train {run.data} {' '.join(run.words[1:])} "
        f"--steps {origin['steps']}",
        "machine": f"one core of {machine()}",
        "date": today(),
    }
    pixels = found["pixels"]
    named = {
        "image AUROC": found["image_auroc"],
        "pixel AP": pixels["ap"],
        "pixel AP, authors' mask rule": pixels["ap_as_authors"],
        "pixel AUROC": pixels["auroc"],
        "AUPRO": pixels["aupro"],
    }
    named |= {f"image AUROC, {k}": v["image_auroc"] for k, v in found["by_defect"].items()}
    return [common | {"figure": name, "value": round(v, 4)} for name, v in named.items()]


def engine_times(widths: str) -> list[dict[str, object]]:
    """Milliseconds of one 128x128 image through the engine on all cores; weights do not matter."""
    product = f"times_{widths.replace('/', '-')}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Draem(*map(int, widths.split("/"))).eval()
    fit, frames = Fit(128, 128), np.zeros((8, 128, 128, 3), np.uint8)
    frames[:, 32:96, 32:96] = np.arange(8)[:, None, None, None] * 30
    trained = Trained(model, fit, frames, procedural, 0, {"images": []}, {})
    times = []
    with TemporaryDirectory(dir=WORK) as folder:
        made = save_product(trained, Path(folder), product, Path(folder))
        plan = openvino.compile_plan(made)
    with openvino.OpenVinoEngine(plan, made.shape) as engine:
        for i in range(WARM_UP + TIMED):
            start = time.perf_counter()
            engine.infer(frames[i % 8][None])
            times.append(1e3 * (time.perf_counter() - start))
    common = {"study": "times", "product": product, "widths": widths, "input": "128x128",
              "command": "python -m trainer.study times", "machine": machine(),
              "date": today()}  # fmt: skip
    median = statistics.median(times[WARM_UP:])
    return [common | {"figure": "engine, milliseconds, median of 100", "value": round(median, 2)}]


def machine() -> str:
    """What the figures were measured on."""
    precision = str(pick_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    return (
        f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {precision}"
    )


def today() -> str:
    """The date in UTC."""
    return datetime.now(UTC).date().isoformat()


def draem(*words: str) -> str:
    """One command on one core; what it prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "draem", *words]
    with (WORK / "log.txt").open("a") as log:
        done = subprocess.run(
            command, cwd=WORK, env=environment, stdout=subprocess.PIPE, stderr=log, check=True
        )
    return done.stdout.decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
