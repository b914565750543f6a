"""kill -9 at random during seal, activate, roll back, import and calibrate: old or new, and whole.

Run by './just release-storm'. A small product is trained, built and calibrated, and a station with
six versions made of it. Each strike works on a copy: a real `draem` process is killed at a random
moment; then every version must be whole, the current one the old or the new, its engine load and
judge, and the same command do its work over whatever was left behind. Then every step of every
command that works on releases is struck once.
"""

import argparse
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from edge.engine import runtimes
from edge.product.product import load_product, read_version, versions
from edge.product.versions import current_version
from tests.conftest import draem, write_parts
from tests.support.forge import Forge

GOOD = 8


class Action(NamedTuple):
    """A command, the station it works on, and what may be current after it."""

    words: tuple[str, ...]
    station: str
    before: str
    after: str


ACTIONS = {
    "seal": Action(("release", "seal", "4"), "released", "3", "3"),
    "activate": Action(("release", "activate", "2"), "released", "3", "2"),
    "rollback": Action(("release", "rollback"), "released", "3", "2"),
    "import": Action(("release", "import", "five.draem"), "released", "3", "3"),
    "calibrate": Action(("calibrate", "--images", "good"), "released", "3", "3"),
    "calibrate before a release": Action(("calibrate", "--images", "good"), "new", "2", "3"),
}


def run(forge: Forge, root: Path, *words: str) -> float:
    """To its end; the seconds it took."""
    start = time.monotonic()
    ended = forge.run(root, *words)
    assert ended.code == 0, (words, ended.text)
    return time.monotonic() - start


def prepare(forge: Forge, trained: Path, folder: Path) -> None:
    """`new`: 2 is calibrated and current. `released`: 2 was active, then 3; 4 is not sealed."""
    new, old = folder / "new", folder / "released"
    shutil.copytree(trained, new / "products", symlinks=True)
    (new / "station.toml").write_text('product = "lid"\nflavour = "openvino"\n')
    write_parts(new / "good", GOOD, seed=1)
    run(forge, new, "calibrate", "--images", "good")
    shutil.copytree(new, old, symlinks=True)
    run(forge, old, "release", "seal", "2")
    for number in "345":
        run(forge, old, "calibrate", "--images", "good", "--version", "1")
        if number != "4":
            run(forge, old, "release", "seal", number)
    run(forge, old, "release", "activate", "3")
    run(forge, old, "release", "export", "5", "--to", "five.draem")
    shutil.rmtree(old / "products" / "lid" / "5")


def check(root: Path, allowed: set[str]) -> None:
    """Every version is whole, and the current one judges."""
    folder = root / "products" / "lid"
    assert current_version(folder) in allowed
    for number in versions(root / "products", "lid"):
        read_version(folder / str(number))
    product = load_product(root / "products", "lid")
    assert product.calibration is not None
    with (
        runtimes.load(product, "openvino") as engine,
        np.load(product.path / "golden.npz", allow_pickle=False) as golden,
    ):
        score = engine.infer(golden["frames"]).score
        assert np.allclose(score, golden["score"], atol=0.01)


def strike(forge: Forge, action: Action, stations: Path, root: Path, delay_s: float) -> str:
    """One kill in a copy of a station at `root`: what it met."""
    shutil.copytree(stations / action.station, root, symlinks=True)
    folder = root / "products" / "lid"
    before = versions(root / "products", "lid")
    pid = forge.start(root, *action.words)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    killed = forge.wait(pid).code == -signal.SIGKILL
    check(root, {action.before, action.after})
    moved = current_version(folder) != action.before
    made = versions(root / "products", "lid") != before or (folder / "4" / "seal.json").exists()
    left = bool(list(folder.glob(".draft.*")) + list(folder.glob(".current.*")))
    if not (action.words[-1] == "rollback" and moved):
        run(forge, root, *action.words)
        check(root, {action.after, "4"} if action.station == "new" else {action.after})
        assert not list(folder.glob(".current.*"))
        if action.words[-1] == "good" or not made:
            assert not list(folder.glob(".draft.*"))
    shutil.rmtree(root)
    if not killed:
        return "too late"
    return "done already" if moved or made else "drafts left" if left else "nothing done yet"


def storm(trained: Path, folder: Path, strikes: int, seed: int = 0) -> dict[str, dict[str, int]]:
    """So many strikes, in turn at each command; what each met."""
    chance = random.Random(seed)
    met: dict[str, Counter[str]] = {name: Counter() for name in ACTIONS}
    with Forge() as forge:
        prepare(forge, trained, folder)
        takes: dict[str, float] = {}
        for name, action in ACTIONS.items():
            scratch = shutil.copytree(folder / action.station, folder / "scratch", symlinks=True)
            takes[name] = run(forge, scratch, *action.words)
            shutil.rmtree(scratch)
        for i in range(strikes):
            name = list(ACTIONS)[i % len(ACTIONS)]
            delay_s = chance.uniform(0, takes[name])
            root = folder / f"strike-{i}"
            met[name][strike(forge, ACTIONS[name], folder, root, delay_s)] += 1
    return {name: dict(counter) for name, counter in met.items()}


def every_step(folder: Path) -> dict[str, int]:
    """Each release command struck before each of its steps: how many there were."""
    from tests.deploy import test_release_kill as steps

    with Forge() as forge:
        station = steps.make_station(forge, folder / "station")
        every = range(1, steps.MOST_STEPS)
        return {a: steps.strike(forge, station, folder, a, every) for a in steps.STRUCK}


def trained_product(root: Path) -> Path:
    """A small one from the simulated line, with an engine."""
    write_parts(root / "images", 24, seed=0)
    size = ("--input", "64", "--size", "tiny", "--steps", "250", "--learning-rate", "1e-3")
    for words in (
        ("train", "images", "--product", "lid", "--simulation", "paper", *size),
        ("build", "--product", "lid", "--flavour", "openvino"),
    ):
        done = draem(*words, cwd=root, timeout=900)
        assert done.returncode == 0, done.stderr
    return root / "products"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strikes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        trained = trained_product(root / "trained")
        found = {
            "strikes": storm(trained, root / "storm", options.strikes, options.seed),
            "steps": every_step(root / "steps"),
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
