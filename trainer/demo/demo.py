"""All steps in one command: collect, train, build, calibrate, then inspect a simulated line.

Every step is a `draem` command that works the same on your own images; it is printed before it
runs. The inspected line has a new random seed each time; --seed repeats one.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge.base.errors import DraemError
from trainer.demo.score import Summary, read_events, read_truth, summarise

FOLDER = Path("demo")
KIND = "moulded"
PRODUCT = "lid"
GOOD_FRAMES = 400
CALIBRATION_FRAMES = 420
PARTS = 320
DEFECTS = 0.25
RATE = 12
# A training of a few minutes learns more from textures alone (docs/results.md).
NETWORK = ("--crop", "80,48,480,384", "--input", "128x160", "--steps", "700",
           "--validate-every", "350", "--simulation", "paper")  # fmt: skip
FALSE_REJECTS = 0.005
TRAINING_SEED, CALIBRATION_SEED = 1, 2
PORT = 5571


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="just demo", description=__doc__)
    parser.add_argument("--seed", type=_seed, help="of the inspected line (default: random)")
    parser.add_argument("--again", action="store_true", help="use the product of the last demo")
    options = parser.parse_args(argv)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    start = time.monotonic()
    if options.again and not (FOLDER / "products" / PRODUCT / "current").is_dir():
        print("demo: there is no product yet: leave out --again", file=sys.stderr)
        return 2
    try:
        if not options.again:
            prepare()
        summary = inspect(seed)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"demo: '{shlex.join(error.cmd[2:])}' failed, see above", file=sys.stderr)
        return 2
    except DraemError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    show(summary, time.monotonic() - start)
    return 0


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number from 0 on")
    return int(text)


def environment() -> dict[str, str]:
    """Without the station settings of this shell: the demo has its own."""
    return {k: v for k, v in os.environ.items() if not k.upper().startswith("DRAEM_")}


def prepare() -> None:
    """From an empty folder to a calibrated product."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    collect(TRAINING_SEED, "good", GOOD_FRAMES)
    draem("train", "good", "--product", PRODUCT, *NETWORK)
    draem("build", "--product", PRODUCT)
    # Another seed is another light: the threshold comes from parts that training never saw.
    collect(CALIBRATION_SEED, "calibration", CALIBRATION_FRAMES)
    draem("calibrate", "--product", PRODUCT, "--images", "calibration",
          "--false-reject-rate", str(FALSE_REJECTS))  # fmt: skip


def collect(seed: int, folder: str, count: int) -> None:
    """Good frames of one run of the line, each part once."""
    draem("collect", "--source", line(seed, rate=0, defects=0), "--to", folder,
          "--frames", str(count))  # fmt: skip


def line(seed: int, *, rate: float, defects: float, parts: int = 0, truth: str = "") -> str:
    """The address of a simulated line."""
    address = f"line://{KIND}?seed={seed}&rate={rate}&defects={defects}&parts={parts}"
    return address + (f"&truth={truth}" if truth else "")


def draem(*words: str) -> None:
    """Print and run one command. Raises CalledProcessError where it fails."""
    announce(*words)
    subprocess.run(command(*words), cwd=FOLDER, env=environment(), check=True)


def announce(*words: str) -> None:
    """Print a command as it would be typed."""
    print(f"\n$ draem {shlex.join(words)}", flush=True)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "draem", *words]


def inspect(seed: int) -> Summary:
    """Inspect the line; one process prints the rejected parts, another keeps every event."""
    endpoint = f"tcp://127.0.0.1:{PORT}"
    print(f"\nthe inspected line has seed {seed}")
    source = line(seed, rate=RATE, defects=DEFECTS, parts=PARTS, truth="truth.jsonl")
    watch = ("watch", "--endpoint", endpoint, "--until-stopped")
    run = ("run", "--product", PRODUCT, "--source", source, "--endpoint", endpoint,
           "--mode", "triggered", "--backlog", "10", "--subscribers", "2")  # fmt: skip
    announce(*watch, "--rejects", "&")
    announce(*run)
    with (FOLDER / "events.jsonl").open("w") as kept:
        watchers = [
            subprocess.Popen(command(*watch, "--rejects"), cwd=FOLDER, env=environment()),
            subprocess.Popen(command(*watch, "--json"), cwd=FOLDER, env=environment(), stdout=kept),
        ]
        try:
            subprocess.run(command(*run), cwd=FOLDER, env=environment(), check=True)
            for watcher in watchers:
                watcher.wait(timeout=10)
        finally:
            for watcher in watchers:
                watcher.terminate()
    return report(seed)


def report(seed: int) -> Summary:
    """Compare the events with the truth; write summary.json and report.html."""
    from trainer.demo.report import write_report

    events = read_events(FOLDER / "events.jsonl")
    truth = read_truth(FOLDER / "truth.jsonl")
    summary = summarise(events, truth, seed)
    text = json.dumps(asdict(summary), indent=2) + "\n"
    (FOLDER / "summary.json").write_text(text)
    write_report(FOLDER, PRODUCT, KIND, events, truth, summary)
    return summary


def show(summary: Summary, seconds: float) -> None:
    """Print the figures."""
    s = summary
    print(f"\n{s.parts} parts, {s.good} good, {s.defective} defective (seed {s.seed})")
    print(f"found    {s.found} of {s.defective} defective ({s.found_share:.1%})")
    print(f"missed   {s.missed}")
    print(f"rejected {s.rejected} of {s.good} good ({s.rejected_share:.1%})")
    print(f"no verdict {s.no_verdict}")
    for kind, (found, total) in s.by_defect.items():
        print(f"  {kind:<13} {found:>3} of {total:>3} found")
    print("milliseconds  p50    p99")
    for stage, (p50, p99) in s.stages_ms.items():
        print(f"  {stage:<9} {p50:7.2f} {p99:7.2f}")
    print(f"\n{seconds / 60:.1f} minutes; see {(FOLDER / 'report.html').resolve()}")


if __name__ == "__main__":
    sys.exit(main())
