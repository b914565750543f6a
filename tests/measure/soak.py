"""Ten minutes of the simulated line: how much the inspecting process grew after the first one.

Run by './just soak' with the product of the last demo.
"""

import subprocess
import sys
import time
from pathlib import Path

RATE = 12


def resident_mb(pid: int) -> float:
    """The memory that a process holds, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (row,) = [row for row in status.splitlines() if row.startswith("VmRSS")]
    return int(row.split()[1]) / 1024


def main(minutes: float) -> int:
    if not Path("demo/products/lid/current/calibration.json").exists():
        print("no product: run './just demo' first", file=sys.stderr)
        return 2
    source = f"line://moulded?rate={RATE}&defects=0.2&seed=5"
    command = [sys.executable, "-m", "draem", "run", "--product", "lid", "--source", source]
    endpoint = ("--endpoint", "tcp://127.0.0.1:5573")
    process = subprocess.Popen([*command, *endpoint], cwd="demo")
    watch = [sys.executable, "-m", "draem", "watch", "--json", *endpoint]
    watcher = subprocess.Popen(watch, stdout=subprocess.DEVNULL)
    start, after_a_minute, highest = time.monotonic(), 0.0, 0.0
    try:
        while (passed := time.monotonic() - start) < 60 * minutes and process.poll() is None:
            time.sleep(5)
            now = resident_mb(process.pid)
            if passed < 60:
                after_a_minute = now
            highest = max(highest, now)
            print(
                f"{passed / 60:5.1f} min  {now:7.1f} MB  {now - after_a_minute:+6.1f}", flush=True
            )
    finally:
        for running in (process, watcher):
            running.terminate()
            running.wait(10)
    growth = highest - after_a_minute
    print(f"grew by at most {growth:.1f} MB after the first minute (limit 10)")
    return 0 if growth < 10 and process.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
