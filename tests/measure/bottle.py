"""Real bottles with real defects, by the README's commands; prints how long each took.

Run by './just bottle [options of draem train]'. The images may not be copied into the project: they
are looked for in ../shared/data, or where DATA says.
"""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.measure.real_data import DATA
from trainer.demo.score import read_events

BOTTLE = DATA / "mvtec_bottle"
WORK = Path("local/bottle")
ENDPOINT = "tcp://127.0.0.1:5572"
TRAIN = ("--rotation", "180")


def draem(*words: str) -> None:
    """One command, printed, run and timed."""
    print(f"\n$ draem {' '.join(words)}", flush=True)
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "draem", *words], cwd=WORK, check=True)
    print(f"({time.monotonic() - start:.1f} s)", flush=True)


def main(more: list[str]) -> int:
    if not (BOTTLE / "train" / "good").is_dir():
        print(f"no images in {BOTTLE}: set DATA to the folder that holds MVTec AD's bottle")
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    draem("train", str(BOTTLE), "--product", "bottle", *TRAIN, *more)
    draem("build", "--product", "bottle")
    draem("calibrate", "--product", "bottle", "--false-reject-rate", "0.02")
    with (WORK / "events.jsonl").open("w") as kept:
        watch = ("watch", "--json", "--until-stopped", "--endpoint", ENDPOINT)
        watcher = subprocess.Popen([sys.executable, "-m", "draem", *watch], cwd=WORK, stdout=kept)
        try:
            run = ("run", "--product", "bottle", "--source", str(BOTTLE / "test"))
            draem(*run, "--endpoint", ENDPOINT, "--subscribers", "1")
            watcher.wait(20)
        finally:
            watcher.kill()
            watcher.wait()
    counts = Counter(
        ("good" if str(e.part_id).startswith("good") else "defective", e.verdict)
        for e in read_events(WORK / "events.jsonl")
    )
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind:<10} {verdict:<10} {count}")
    draem("evaluate", str(BOTTLE), "--product", "bottle")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
