"""What the default training reaches on real images: `./just targets [--seeds N] [--only DATA]`.

Each run is `draem train` with its defaults and what a user would know of the part, then `build`,
`calibrate` for 1 % false rejects on the good parts that the training set aside, and `evaluate`.
The figures are written to docs/results.json. A run whose figures are there is skipped, and one that
was interrupted is resumed. The images may not be copied into the project: they are read from
../shared/data, or from the folder that DATA names.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from edge.base.files import write_json
from edge.commands.doctor import processor
from tests.measure.real_data import DATA, prepared
from trainer.training.state import pick_precision

ROOT = Path(__file__).parents[2]
WORK = ROOT / "local/targets"
RESULTS = ROOT / "docs/results.json"
SHOWN = ("image AUROC", "pixel AP", "pixel AUROC", "AUPRO", "escapes", "false rejects", "minutes")

Row = dict[str, object]

KNOWN = {
    "mvtec_bottle": ("--rotation", "180"),
    "mvtec_bottle_20": ("--rotation", "180"),
    "mtd": ("--mirror", "--light", "0.25"),
    "mtd_random": ("--mirror", "--light", "0.25"),
    "ksdd": ("--mirror", "--input", "640x256"),
    "ksdd_tiles": ("--mirror", "--tile", "320"),
    "ksdd_256": ("--mirror", "--input", "256"),
    "tire": ("--light", "0.2"),
    "paper": ("--mirror", "--light", "0.2"),
    "pipe_staple": (),
}
"""Each data set, with what a user would know: bottles lie at any angle, tires do not; sheets and
tiles may be mirrored; the light varies. KSDD is also trained in tiles at the pictures' own scale,
and at 256x256 as others do it."""


@dataclass(frozen=True)
class Run:
    """One training with the default recipe, but for the limit of its time: cores may be shared."""

    data: str
    seed: int

    @property
    def product(self) -> str:
        return f"{self.data}_features_{self.seed}"

    @property
    def words(self) -> tuple[str, ...]:
        """Options of `draem train`, without the images."""
        known = KNOWN[self.data]
        return ("--product", self.product, "--seed", str(self.seed), "--max-minutes", "20", *known)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="targets", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each data set")
    parser.add_argument("--only", choices=KNOWN, nargs="+", default=list(KNOWN), metavar="DATA")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="JSON")
    parser.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="for the products")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    runs = [Run(data, seed) for seed in range(options.seeds) for data in options.only]
    measured = {row["product"] for row in read(options.results)}
    if not DATA.is_dir():
        print(f"targets: no images in {DATA}: set DATA to the folder of the data sets")
        return 2
    cores = max(1, (os.cpu_count() or 1) // options.jobs)
    os.environ["OMP_NUM_THREADS"] = str(cores)
    left = [run for run in runs if run.product not in measured]
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for rows in pool.map(lambda run: measure(run, options.work, cores), left):
                write_json(options.results, read(options.results) + rows)
        for run in runs:
            show(run, read(options.results))
    except subprocess.CalledProcessError as error:
        print(f"targets: '{' '.join(error.cmd)}' failed, see {options.work}/log.txt")
        return 2
    return 0


def measure(run: Run, work: Path, cores: int) -> list[Row]:
    """Train (or resume), build, calibrate and evaluate; one row for each figure."""
    product = ("--product", run.product)
    images = str(prepared(run.data, work / "data"))
    first = work / "products" / run.product / "1/manifest.json"
    if (work / "runs" / run.product / "checkpoint.pt").is_file():
        draem(work, "train", "--resume", *product)
    elif not first.is_file():
        draem(work, "train", images, *run.words)
    draem(work, "build", *product, "--version", "1")
    draem(work, "calibrate", *product, "--version", "1", "--false-reject-rate", "0.01")
    found = json.loads(draem(work, "evaluate", images, *product, "--json"))
    manifest = json.loads(first.read_text(encoding="utf-8"))
    origin, pixels, rates = manifest["origin"], found["pixels"], found["calibrated"]
    common: Row = {
        "study": "targets",
        "product": run.product,
        "data": run.data,
        "network": origin["network"],
        "input": shown_input(manifest),
        "seed": run.seed,
        "steps": origin["best_step"],
        "command": f"draem train {run.data} {' '.join(run.words)}",
        "machine": f"{cores} of {machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    figures = {
        "image AUROC": found["image_auroc"],
        "pixel AP": pixels["ap"],
        "pixel AP, authors' mask rule": pixels["ap_as_authors"],
        "pixel AUROC": pixels["auroc"],
        "AUPRO": pixels["aupro"],
        "escapes": 1 - rates["true_positive"],
        "false rejects": 1 - rates["true_negative"],
        "minutes": origin["seconds"] / 60,
    }
    figures |= {f"image AUROC, {k}": v["image_auroc"] for k, v in found["by_defect"].items()}
    return [common | {"figure": name, "value": round(v, 4)} for name, v in figures.items()]


def shown_input(manifest: dict[str, Any]) -> str:
    """The picture's height and width, and those of its tiles."""
    size, tile = f"{manifest['height']}x{manifest['width']}", manifest.get("tile")
    return f"{size} in tiles of {tile['height']}x{tile['width']}" if tile else size


def draem(work: Path, *words: str) -> str:
    """Run one command and return what it prints."""
    with (work / "log.txt").open("a") as log:
        return subprocess.run(
            [sys.executable, "-m", "draem", *words],
            cwd=work, check=True, text=True, stdout=subprocess.PIPE, stderr=log,
        ).stdout  # fmt: skip


def machine() -> str:
    """What the figures were measured on."""
    precision = str(pick_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    return (
        f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {precision}"
    )


def read(results: Path) -> list[Row]:
    """The rows so far."""
    rows: list[Row] = json.loads(results.read_text("utf-8")) if results.is_file() else []
    return rows


def show(run: Run, rows: list[Row]) -> None:
    """One line for a run."""
    values = {row["figure"]: row["value"] for row in rows if row["product"] == run.product}
    print(f"{run.product}:", ", ".join(f"{name} {values[name]:.4f}" for name in SHOWN), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
