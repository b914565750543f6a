"""One command for every product of a file: 'draem train --all products.toml'.

The file has a table for each product, with the words of each command:

  [lid]
  train = ["pictures/lid", "--max-minutes", "20"]
  build = []
  evaluate = ["pictures/lid-test"]

Products run one after the other, or with --ray ADDRESS on the machines of a Ray cluster that share
this folder ('auto' for the one of this machine; the extra 'cluster'). Each has a log and a row of
results in all/COMMAND/; a product that fails stops no other. The same command again does what has
failed or was interrupted; --again does everything.
"""

import argparse
import csv
import hashlib
import json
import logging
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path

from pydantic import TypeAdapter

from edge.base.errors import SettingsError
from edge.base.files import exclusive_lock, read_text, write_atomic
from edge.base.validation import first_cause

FOLDER = Path("all")
ARCHIVE_OPTIONS = ("--archive-database", "--archive-pictures")
RUNS, CHECKPOINT = "runs", "checkpoint.pt"  # of an unfinished training, see trainer/training
_FILE: TypeAdapter[dict[str, dict[str, list[str]]]] = TypeAdapter(dict[str, dict[str, list[str]]])


@dataclass(frozen=True)
class Result:
    """How a command ended for one product; `message` is the last line of its log."""

    product: str
    state: str  # done or failed
    exit_code: int
    seconds: float
    message: str
    words: str  # digest of the command's words: other words are done again


_RESULT = TypeAdapter(Result)


@dataclass(frozen=True)
class Task:
    """One command for one product."""

    product: str
    command: Sequence[str]
    log: Path

    def digest(self) -> str:
        """What a result belongs to."""
        return hashlib.sha256(json.dumps(list(self.command)).encode()).hexdigest()[:12]


def run_all(command: str, words: Sequence[str]) -> int:
    """Run 'draem COMMAND --all ...'; 1 if a product failed. Raises SettingsError."""
    parser = argparse.ArgumentParser(
        prog=f"draem {command} --all",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the products, as above")
    parser.add_argument("--ray", metavar="ADDRESS", help="the address of a Ray cluster, or auto")
    parser.add_argument("--again", action="store_true", help="do what is done already")
    options = parser.parse_args(words)
    folder = FOLDER / command
    refusal = SettingsError(f"another 'draem {command} --all' runs here: wait for it, or stop it")
    with exclusive_lock(folder / ".lock", refusal):
        return _run_tasks(command, options, folder)


def _run_tasks(command: str, options: argparse.Namespace, folder: Path) -> int:
    tasks = read_tasks(command, options.file, folder)
    results = {} if options.again else read_results(folder / "results.csv")
    kept = [
        task.product
        for task in tasks
        if (r := results.get(task.product)) and r.state == "done" and r.words == task.digest()
    ]
    due = [task for task in tasks if task.product not in kept]
    print(f"{command}: {len(due)} of {len(tasks)} products, logs in {folder}", file=sys.stderr)
    runner = on_ray(due, options.ray) if options.ray else map(run_task, due)
    for number, result in enumerate(runner, 1):
        results[result.product] = result
        write_results(folder / "results.csv", results)
        text = f"{result.product}: {result.state} after {result.seconds:.0f} s, {result.message}"
        print(f"{number}/{len(due)} {text}", flush=True)
    failed = [task.product for task in tasks if results[task.product].state != "done"]
    if failed:
        print(f"failed: {', '.join(failed)}; see {folder}/NAME.log", file=sys.stderr)
    return 1 if failed else 0


def read_tasks(command: str, path: Path, folder: Path) -> list[Task]:
    """The tasks of a file, in its order. Raises SettingsError."""
    try:
        products = _FILE.validate_python(tomllib.loads(read_text(path, SettingsError)))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be used ({first_cause(error)}): write a table for each product, "
            f'{command} = ["..."] in each'
        ) from error
    chosen = {name: words[command] for name, words in products.items() if command in words}
    if not chosen:
        raise SettingsError(f"no product in {path} has {command} = [...]: add it")
    for name in chosen:
        if "/" in name or name.startswith("."):
            raise SettingsError(f"{path} names a product '{name}': choose a name without /")
        if command == "train" and any(w.startswith("--runs") for w in chosen[name]):
            raise SettingsError(f"{path} has --runs for {name}: leave it out, {RUNS}/ is used")
    return [
        Task(name, [command, *words, "--product", name], folder / f"{name}.log")
        for name, words in chosen.items()
    ]


def run_task(task: Task) -> Result:
    """Run one command in a process of its own; its output goes to the log."""
    begin = time.monotonic()
    task.log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "draem", *resumed(task)]
    task.log.with_suffix(".words").write_text(task.digest(), encoding="utf-8")
    with task.log.open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    lines = task.log.read_text("utf-8", "replace").strip().splitlines()
    return Result(
        task.product,
        "failed" if code else "done",
        code,
        round(time.monotonic() - begin, 1),
        lines[-1] if lines else "",
        task.digest(),
    )


def resumed(task: Task) -> Sequence[str]:
    """The command, or that which continues a training that was interrupted with these words."""
    words = list(task.command)
    begun = task.log.with_suffix(".words")
    unfinished = Path(RUNS) / task.product / CHECKPOINT
    if words[0] != "train" or not unfinished.exists():
        return words
    same = begun.is_file() and begun.read_text(encoding="utf-8") == task.digest()
    if not same:
        return [*words, "--restart"]
    return ["train", "--resume", "--product", task.product, *_of_archive(words)]


def _of_archive(words: list[str]) -> list[str]:
    """The words that say where an archive is: a training does not keep them."""
    kept: list[str] = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word in ARCHIVE_OPTIONS:
            kept += [word, after]
        elif word.startswith(tuple(f"{option}=" for option in ARCHIVE_OPTIONS)):
            kept.append(word)
    return kept


def on_ray(tasks: Sequence[Task], address: str) -> Iterator[Result]:
    """Run tasks on a cluster, as many at once as it has places for. Raises SettingsError."""
    import ray

    try:
        if ":" in address:  # ray itself would try for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"the Ray cluster {address} cannot be used ({str(error).splitlines()[0]}): "
            "start it with 'ray start --head', or leave out --ray"
        ) from error
    folder = str(Path.cwd())
    remote = ray.remote(max_retries=3)(_in_folder)  # a machine that is lost is replaced
    running = {remote.remote(task, folder): task for task in tasks}
    try:
        while running:
            done, _ = ray.wait(list(running))
            for reference in done:
                task = running.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    why = str(error).splitlines()[0]
                    yield Result(task.product, "failed", -1, 0.0, why, task.digest())
    finally:
        ray.shutdown()


def _in_folder(task: Task, folder: str) -> Result:
    import os

    os.chdir(folder)
    return run_task(task)


def read_results(path: Path) -> dict[str, Result]:
    """The results of earlier runs; none if there are none. Raises SettingsError."""
    if not path.is_file():
        return {}
    try:
        rows = csv.DictReader(StringIO(read_text(path, SettingsError)), strict=True)
        results = [_RESULT.validate_strings(row) for row in rows]
    except (csv.Error, ValueError) as error:
        raise SettingsError(
            f"{path} is not as it was written ({first_cause(error)}): restore it, or delete it to "
            "do all products again"
        ) from None
    return {result.product: result for result in results}


def write_results(path: Path, results: Mapping[str, Result]) -> None:
    """One row for each product."""
    text = StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Result)])
    table.writeheader()
    table.writerows(asdict(result) for result in results.values())
    write_atomic(path, text.getvalue().encode())
