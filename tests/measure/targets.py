"""What DRAEM reaches on real bottles and magnetic tiles: `./just targets [--jobs N]`.

Each run is one `draem train` on one core, then `draem build` and `draem evaluate`. Its figures are
written to docs/results.json. A run whose figures are there is skipped, and one that was interrupted
is resumed. The images may not be copied into the project: they are read from ../shared/data, or
from the folder that DATA names.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from edge.base.files import write_json
from edge.commands.doctor import processor
from trainer.training.state import pick_precision

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("DATA", ROOT.parent / "shared/data")).resolve()
WORK = ROOT / "local/targets"
RESULTS = ROOT / "docs/results.json"
SHOWN = ("image AUROC", "pixel AP", "pixel AUROC", "AUPRO")

Row = dict[str, object]


@dataclass(frozen=True)
class Run:
    """One training at 128x128. Runs with other options need another `product`."""

    product: str
    data: str
    minutes: float
    widths: str
    options: tuple[str, ...]
    seed: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """Options of `draem train`, without data set and length."""
        return ("--product", self.product, "--widths", self.widths, "--batch", "4",
                "--seed", str(self.seed), "--simulation", "mixed", *self.options)  # fmt: skip


# Bottles lie at any angle; tiles differ in look and light.
BOTTLE = ("--rotation", "180", "--validate-every", "500")
TILES = ("--mirror", "--light", "0.25", "--validate-every", "1000")
RUNS = [
    *(
        Run(f"mvtec_bottle_32-16_35min_mixed_{seed}", "mvtec_bottle", 35, "32/16", BOTTLE, seed)
        for seed in range(3)
    ),
    Run("mtd_8-4_50min_mixed_0", "mtd", 50, "8/4", TILES),
]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="targets", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--minutes", type=float, help="for each run, instead of its own")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="JSON")
    parser.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="for the products")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    measured = {row["product"] for row in read(options.results)}
    runs = [run for run in RUNS if run.product not in measured]
    if options.minutes:
        runs = [replace(run, minutes=options.minutes) for run in runs]
    for run in runs:
        if not (DATA / run.data / "train/good").is_dir():
            print(f"targets: no images in {DATA / run.data}: set DATA to the folder of the data")
            return 2
    print(f"{len(runs)} of {len(RUNS)} runs to do, {options.jobs} at a time")
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for rows in pool.map(lambda run: measure(run, options.work), runs):
                write_json(options.results, read(options.results) + rows)
    except subprocess.CalledProcessError as error:
        print(f"targets: '{' '.join(error.cmd)}' failed, see {options.work}/log.txt")
        return 2
    show(read(options.results))
    return 0


def measure(run: Run, work: Path) -> list[Row]:
    """Train (or resume), build and evaluate; one row for each figure."""
    product = ("--product", run.product)
    images = str(DATA / run.data)
    path = work / "products" / run.product / "current/manifest.json"
    if (work / "runs" / run.product / "checkpoint.pt").is_file():
        draem(work, "train", "--resume", *product)
    elif not path.is_file():
        draem(work, "train", images, *run.words, "--minutes", str(run.minutes))
    draem(work, "build", *product)
    found = json.loads(draem(work, "evaluate", images, *product, "--json"))
    manifest = json.loads(path.read_text(encoding="utf-8"))
    origin, pixels = manifest["origin"], found["pixels"]
    words = " ".join(run.words)
    common: Row = {
        "study": "targets",
        "product": run.product,
        "data": run.data,
        "widths": run.widths,
        "input": f"{manifest['height']}x{manifest['width']}",
        "simulation": origin["simulation"],
        "score_window": manifest["score_window"],
        "seed": run.seed,
        "steps": origin["steps"],
        "core_minutes": run.minutes,
        "seconds": origin["seconds"],
        "command": f"OMP_NUM_THREADS=1 draem train {run.data} {words} --steps {origin['steps']}",
        "machine": f"one core of {machine()}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    figures = {
        "image AUROC": found["image_auroc"],
        "pixel AP": pixels["ap"],
        "pixel AP, authors' mask rule": pixels["ap_as_authors"],
        "pixel AUROC": pixels["auroc"],
        "AUPRO": pixels["aupro"],
    }
    figures |= {f"image AUROC, {k}": v["image_auroc"] for k, v in found["by_defect"].items()}
    return [common | {"figure": name, "value": round(v, 4)} for name, v in figures.items()]


def draem(work: Path, *words: str) -> str:
    """Run one command on one core and return what it prints."""
    with (work / "log.txt").open("a") as log:
        return subprocess.run(
            [sys.executable, "-m", "draem", *words],
            cwd=work, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, text=True,
            stdout=subprocess.PIPE, stderr=log,
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


def show(rows: list[Row]) -> None:
    """One line for each run."""
    values = {(row["product"], row["figure"]): row["value"] for row in rows}
    for run in RUNS:
        figures = (f"{name} {values[run.product, name]:.4f}" for name in SHOWN)
        print(f"{run.product}:", ", ".join(figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
