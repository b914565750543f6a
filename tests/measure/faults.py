"""How many single-line faults in the product code the test suite catches.

    python -m tests.measure.faults --to faults.jsonl          the faults without a result so far
    python -m tests.measure.faults --to faults.jsonl --all    the whole suite for all not caught
    python -m tests.measure.faults --to faults.jsonl --check  the tests that caught one, without it

Each fault of `faults.toml` is put into a copy of the tree, and its tests run there: first the test
files that should notice it, then, where these pass, those of its package. A fault is found by its
text, which must be in the product code exactly once, so it keeps its place when code is moved.

A fault is `caught` when a test fails with it twice (a busy machine may fail one once), `survived`
when all tests pass, and `unsure` when a test failed only once or the time was up. The results are
JSON lines; the last line of a fault counts.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
FAULTS = Path(__file__).with_suffix(".toml")
PRODUCT = ("edge", "trainer", "calibration", "deploy", "draem.py")
PYTEST = ("-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "-o", "addopts=")
TEST_S, SELECTION_S, SUITE_S = 300, 900, 7200
"""The longest time for one test, for one selection of tests, and for the whole suite."""
NO_TESTS = 5  # pytest's exit code
FAILED = re.compile(r"(?:FAILED|ERROR) (tests/[^\s\[]+(?:\[.*?\](?= - |$))?)")
"""A line of pytest's summary: the test, whose parameters may hold blanks, and then the reason."""

State = Literal["caught", "survived", "unsure"]


@dataclass(frozen=True)
class Fault:
    """`before` becomes `after`; `tests` and `wider` name test files without test_ and .py.

    `only` selects among `tests` as pytest's -k does, where a file has slow tests as well.
    """

    name: str
    before: str
    after: str
    tests: list[str]
    wider: list[str]
    only: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a fault, and the test that failed."""

    name: str
    state: State
    by: str
    seconds: float


def tracked(root: Path, *under: str) -> list[Path]:
    """The files that git knows and that are there, relative to `root`."""
    command = ["git", "ls-files", "-z", "--", *under]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (root / name).is_file()]


def places_of(faults: Sequence[Fault], root: Path) -> dict[str, Path]:
    """The product file of each fault, by name. Exits unless each text is there exactly once."""
    paths = [path for path in tracked(root, *PRODUCT) if path.suffix == ".py"]
    code = {path: (root / path).read_text(encoding="utf-8") for path in paths}
    places, wrong = {}, []
    for fault in faults:
        counts = Counter({path: text.count(fault.before) for path, text in code.items()})
        places[fault.name] = counts.most_common(1)[0][0]
        if counts.total() != 1:
            wrong.append(f"{fault.name}: {fault.before!r} is there {counts.total()} times")
    if wrong:
        sys.exit("\n".join([f"correct {FAULTS.name}, each text must be there once:", *wrong]))
    return places


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A temporary copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        tree = Path(folder) / "tree"
        for path in tracked(root):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, tree / path)
        yield tree


def selections(fault: Fault, tree: Path) -> list[list[str]]:
    """pytest's arguments: narrow, then the package's. Exits where no test file has such a name."""
    first, both = (
        [path for name in names for path in sorted(tree.glob(f"tests/**/test_{name}.py"))]
        for names in (fault.tests, fault.tests + fault.wider)
    )
    if not first:
        sys.exit(f"fault '{fault.name}': no test file is named {' or '.join(fault.tests)}")
    package = [str(path.relative_to(tree)) for path in dict.fromkeys(both)]
    narrow = [*package[: len(first)], *(["-k", fault.only] if fault.only else [])]
    return [narrow, package]


def failures(tree: Path, arguments: Sequence[str], limit_s: float) -> list[str]:
    """The tests that failed, or why pytest ended otherwise; empty where all tests pass."""
    temporary = tempfile.mkdtemp(dir=tree.parent)
    command = [sys.executable, *PYTEST, f"--timeout={TEST_S}", f"--basetemp={temporary}"]
    with subprocess.Popen(
        [*command, *arguments], cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return [f"not done in {limit_s:.0f} s"]
    if process.returncode in (0, NO_TESTS):
        return [] if process.returncode == 0 else ["no test is selected"]
    tests = [found[1] for line in output.splitlines() if (found := FAILED.match(line))]
    return tests or [f"exit code {process.returncode}: {output[-500:]}"]


def outcome(tree: Path, arguments: Sequence[str], limit_s: float) -> tuple[State, str]:
    """What a selection of tests says; a test that fails only once is left out from then on."""
    state: State = "survived"
    by, left_out = "", list[str]()
    while failed := failures(tree, ["-x", *arguments, *left_out], limit_s):
        state, by = "unsure", failed[0]
        if not by.startswith("tests/"):
            break
        if failures(tree, [by], limit_s)[:1] == [by]:
            return "caught", by
        left_out.append(f"--deselect={by}")
    return state, by


def measure(fault: Fault, place: Path, *, whole: bool) -> Result:
    """Put a fault into a copy of the tree, and run its tests there or the `whole` suite."""
    began = time.monotonic()
    state: State = "survived"
    by = ""
    with copied(ROOT) as tree:
        text = (tree / place).read_text(encoding="utf-8").replace(fault.before, fault.after)
        (tree / place).write_text(text, encoding="utf-8")
        for arguments in [["tests"]] if whole else selections(fault, tree):
            state, by = outcome(tree, arguments, SUITE_S if whole else SELECTION_S)
            if state == "caught":
                break
    return Result(fault.name, state, by, round(time.monotonic() - began, 1))


def read_results(path: Path) -> dict[str, Result]:
    """The newest result of each fault."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    results = [Result(**json.loads(line)) for line in lines]
    return {result.name: result for result in results}


def check(results: Sequence[Result]) -> list[Result]:
    """Those of the caught whose test fails without a fault too: they are in doubt."""
    caught = [result for result in results if result.state == "caught"]
    with copied(ROOT) as tree:
        failed = failures(tree, sorted({result.by for result in caught}), SUITE_S)
    if failed and not failed[0].startswith("tests/"):
        sys.exit(f"the tests without a fault: {failed[0]}")
    return [replace(result, state="unsure") for result in caught if result.by in failed]


def main() -> int:
    faults = [Fault(**one) for one in tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"]]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, required=True, help="the file of results, added to")
    parser.add_argument("--all", action="store_true", help="the whole suite for those not caught")
    parser.add_argument("--check", action="store_true", help="run what caught them without a fault")
    parser.add_argument("--jobs", type=int, default=1, help="how many faults at the same time")
    given = parser.parse_args()
    places = places_of(faults, ROOT)
    results = read_results(given.to)
    finished = {name for name, one in results.items() if not given.all or one.state == "caught"}
    waiting = [fault for fault in faults if fault.name not in finished]
    with ThreadPoolExecutor(given.jobs) as pool, given.to.open("a", encoding="utf-8") as file:
        if given.check:
            new = iter(check(list(results.values())))
        else:
            run = partial(measure, whole=given.all)
            new = pool.map(run, waiting, [places[fault.name] for fault in waiting])
        for result in new:
            print(line_of(result), flush=True)
            file.write(json.dumps(asdict(result)) + "\n")
            file.flush()
            results[result.name] = result
    print(
        "\nall results:", *(line_of(results[f.name]) for f in faults if f.name in results), sep="\n"
    )
    caught = sum(result.state == "caught" for result in results.values())
    print(f"caught {caught} of {len(faults)}")
    return 0


def line_of(result: Result) -> str:
    """One row of the table."""
    return f"{result.state:<9} {result.seconds:>6.1f} s  {result.name:<36} {result.by}"


if __name__ == "__main__":
    sys.exit(main())
