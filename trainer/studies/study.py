"""What DRAEM reaches on real images, and how narrow it may be: './just study' and './just targets'.

Each run is trained on one core for so many minutes of its time (the steps are timed once, so that
other work on the machine changes nothing), built, and evaluated on the test images. Its figures are
appended to docs/results.json, one object each; a run that is there already is left out, and one
that was interrupted goes on. The images may not be copied into the project: they are looked for in
../shared/data, or where DATA says.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from edge.base.errors import DraemError
from edge.engine import openvino
from edge.vision.fit import Fit
from trainer.network.model import Draem
from trainer.simulation.textures import procedural
from trainer.studies.plans import PLANS, WIDTHS, Run, data_folder, plan_steps, settings_of
from trainer.studies.results_file import WORK, append, machine, results, today
from trainer.training.checkpoint import TrainingError
from trainer.training.save_product import Trained, save_product

WARM_UP, TIMED = 10, 100
PLACES = {"images", "product", "products", "runs", "device"}


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


def carry_out(run: Run, steps: int | None) -> list[dict[str, object]]:
    """Train or, without `steps`, go on training; build, evaluate."""
    folder, product = str(data_folder() / run.data), ("--product", run.product)
    if not _product(run).is_file():
        anew = (*run.words, "--steps", str(steps))
        draem("train", *(anew if steps else ("--resume", *product)))
    manifest = json.loads(_product(run).read_text(encoding="utf-8"))
    origin = manifest["origin"]
    check_origin(run, origin)
    draem("build", *product)
    found = json.loads(draem("evaluate", folder, *product, "--json"))
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


def check_origin(run: Run, origin: dict[str, object]) -> None:
    """Raise TrainingError for a product that was trained otherwise: names leave options out."""
    wanted = settings_of(run).model_dump(mode="json", exclude={"steps"} | PLACES)
    wrong = [f"{k} {origin[k]}" for k, v in wanted.items() if k in origin and origin[k] != v]
    if wrong:
        raise TrainingError(
            f"{run.product} was trained with {', '.join(wrong)}: remove it from {WORK}"
        )


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
              "command": "python -m trainer.studies.study times", "machine": machine(),
              "date": today()}  # fmt: skip
    median = statistics.median(times[WARM_UP:])
    return [common | {"figure": "engine, milliseconds, median of 100", "value": round(median, 2)}]


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
