"""Real bottles with real defects, by the README's commands; prints how long each took.

Run by './just bottle [options of draem train]'. The images may not be copied into the project: they
are looked for in ../shared/data/mvtec_bottle, or where DATA says.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from trainer.demo.score import read_events

DATA = Path(os.environ.get("DATA", Path(__file__).parents[3] / "shared/data/mvtec_bottle"))
DATA = DATA.resolve()
WORK = Path("local/bottle")
ENDPOINT = "tcp://127.0.0.1:5572"
TRAIN = ("--steps", "1400")


def draem(*words: str) -> None:
    """One command, printed, run and timed."""
    print(f"\n$ draem {' '.join(words)}", flush=True)
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "draem", *words], cwd=WORK, check=True)
    print(f"({time.monotonic() - start:.1f} s)", flush=True)


def main(more: list[str]) -> int:
    if not (DATA / "train" / "good").is_dir():
        print(f"no images in {DATA}: get MVTec AD's bottle, and set DATA to its folder")
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    draem("train", str(DATA), "--product", "bottle", *TRAIN, *more)
    draem("build", "--product", "bottle")
    draem("calibrate", "--product", "bottle", "--false-reject-rate", "0.02")
    with (WORK / "events.jsonl").open("w") as kept:
        watch = ("watch", "--json", "--until-stopped", "--endpoint", ENDPOINT)
        watcher = subprocess.Popen([sys.executable, "-m", "draem", *watch], cwd=WORK, stdout=kept)
        try:
            run = ("run", "--product", "bottle", "--source", str(DATA / "test"))
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
    draem("evaluate", str(DATA), "--product", "bottle")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
