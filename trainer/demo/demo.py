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
from typing import IO

from edge.base.errors import DraemError
from edge.commands.arguments import parse_whole
from trainer.demo.score import Summary, read_events, read_truth, summarise

FOLDER = Path("demo")
KIND = "moulded"
PRODUCT = ("--product", "lid")
GOOD_FRAMES = 400
CALIBRATION_FRAMES = 420
PARTS = 320
DEFECTS = 0.25
RATE = 12
NETWORK = ("--crop", "80,48,480,384", "--input", "256x320", "--steps", "600",
           "--validate-every", "300")  # fmt: skip
FALSE_REJECTS = 0.0025
TRAINING_SEED, CALIBRATION_SEED = 1, 2
WEB_RATE, WEB_DEFECTS = 2, 0.1
POLL_S = 0.2
ENDPOINT = ("--endpoint", "tcp://127.0.0.1:5571")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="just demo", description=__doc__)
    parser.add_argument("--seed", type=parse_whole, help="of the inspected line (default: random)")
    parser.add_argument("--again", action="store_true", help="use the product of the last demo")
    parser.add_argument(
        "--web", action="store_true", help="then show the line in the web page, until Ctrl-C"
    )
    options = parser.parse_args(argv)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    for name in [name for name in os.environ if name.upper().startswith("DRAEM_")]:
        del os.environ[name]  # station settings of this shell
    start = time.monotonic()
    if options.again and not (FOLDER / "products/lid/current").is_dir():
        print("demo: there is no product yet: leave out --again", file=sys.stderr)
        return 2
    try:
        if not options.again:
            prepare()
        summary = inspect(seed)
        show(summary, time.monotonic() - start)
        if options.web:
            serve_web(seed)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"demo: '{shlex.join(error.cmd[2:])}' failed, see above", file=sys.stderr)
        return 2
    except DraemError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if not options.web:
        print("to see the line in a browser: ./just demo --again --web")
    return 0


def prepare() -> None:
    """From an empty folder to a calibrated product."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    collect(TRAINING_SEED, "good", GOOD_FRAMES)
    draem("train", "good", *PRODUCT, *NETWORK)
    draem("build", *PRODUCT)
    # Another seed is another light: the threshold comes from parts that training never saw.
    collect(CALIBRATION_SEED, "calibration", CALIBRATION_FRAMES)
    rate = ("--false-reject-rate", str(FALSE_REJECTS))
    draem("calibrate", *PRODUCT, "--images", "calibration", *rate)


def collect(seed: int, folder: str, count: int) -> None:
    """Good frames of one run of the line, each part once."""
    source = f"line://{KIND}?seed={seed}&rate=0&defects=0"
    draem("collect", "--source", source, "--to", folder, "--frames", str(count))


def draem(*words: str) -> None:
    """Run one command. Raises CalledProcessError where it fails."""
    process = start_draem(*words)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)


def start_draem(*words: str, stdout: IO[str] | None = None) -> subprocess.Popen[str]:
    """Print a command as it would be typed, and start it."""
    print(f"\n$ draem {shlex.join(words)}", flush=True)
    command = [sys.executable, "-m", "draem", *words]
    return subprocess.Popen(command, cwd=FOLDER, stdout=stdout, text=True)


def inspect(seed: int) -> Summary:
    """Inspect the line; one process prints the rejected parts, another keeps every event."""
    source = (
        f"line://{KIND}?seed={seed}&rate={RATE}&defects={DEFECTS}&parts={PARTS}&truth=truth.jsonl"
    )
    watch = ("watch", *ENDPOINT, "--until-stopped")
    with (FOLDER / "events.jsonl").open("w") as kept:
        watchers = [
            start_draem(*watch, "--rejects"),
            start_draem(*watch, "--json", stdout=kept),
        ]
        try:
            draem("run", *PRODUCT, "--source", source, *ENDPOINT,
                  "--mode", "triggered", "--backlog", "10", "--subscribers", "2")  # fmt: skip
            for watcher in watchers:
                watcher.wait(timeout=10)
        finally:
            for watcher in watchers:
                watcher.terminate()
    return report(seed)


def serve_web(seed: int) -> None:
    """The line without an end, its archive and the web page; until one of them ends."""
    source = f"line://{KIND}?seed={seed}&rate={WEB_RATE}&defects={WEB_DEFECTS}"
    started: list[subprocess.Popen[str]] = []
    try:
        started.append(start_draem("run", *PRODUCT, "--source", source, *ENDPOINT))
        started.append(start_draem("archive", "run", *ENDPOINT))
        started.append(start_draem("web", *ENDPOINT))
        while all(process.poll() is None for process in started):
            time.sleep(POLL_S)
    finally:
        for process in started[::-1]:
            process.terminate()
        for process in started:
            process.wait(timeout=20)
    ended = next((p for p in started if p.returncode > 0), started[0])
    raise subprocess.CalledProcessError(ended.returncode, ended.args)


def report(seed: int) -> Summary:
    """Compare the events with the truth; write summary.json and report.html."""
    from trainer.demo.report import write_report

    events = read_events(FOLDER / "events.jsonl")
    truth = read_truth(FOLDER / "truth.jsonl")
    summary = summarise(events, truth, seed)
    (FOLDER / "summary.json").write_text(json.dumps(asdict(summary), indent=2) + "\n")
    write_report(FOLDER, KIND, events, truth, summary)
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
