"""A line that changes its product back and forth: two products, a running station, its events.

Run by './just switch' for the long one; tests/edge/station/test_changeover.py does it a few times.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge.base.console import track
from edge.camera.recording import RecordingRing
from edge.camera.simulated.renderer import PartRenderer
from edge.commands.switch import switch
from edge.events.client import NoAnswer, RequestClient, service_endpoint
from edge.events.control_messages import Request, SwitchRequest
from edge.events.event import Inspection, Status
from edge.events.subscriber import events
from edge.product.manifest import MANIFEST
from edge.product.product import load_product
from edge.vision.frame import Frame
from tests.support.ports import free_ports

RATE, RECORDED = 30, 150


def line(rate: float) -> str:
    """The simulated line; drawing a part takes 40 ms of a core."""
    return f"line://moulded?rate={rate}"


def recording(folder: Path) -> str:
    """RECORDED good parts of the demo's line at RATE frames a second, over and over."""
    ring, parts = RecordingRing(folder, RECORDED, 1000), PartRenderer("moulded", 5)
    for i in range(RECORDED):
        ring.put(Frame(parts.part(i).image, 1 + i, round(i * 1e9 / RATE)))
    return f"replay://{folder}?loop=true"


def second_product(products: Path, name: str, twin: str) -> None:
    """A copy of a product's current version under another name."""
    source = load_product(products, name)
    target = products / twin / "1"
    shutil.copytree(source.path, target)
    manifest = json.loads((target / MANIFEST).read_text())
    (target / MANIFEST).write_text(json.dumps(manifest | {"name": twin, "version": "1"}))
    (products / twin / "current").symlink_to("1")


@dataclass
class LineEvents:
    """Figures of a line's events: gaps in ms, verdicts, and the products in order."""

    gaps_ms: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    products: list[str] = field(default_factory=list)
    triggers: list[int] = field(default_factory=list)
    thresholds: dict[str, set[float | None]] = field(default_factory=lambda: defaultdict(set))
    frames: int = 0
    accounted: int = 0
    """Frames with an event, and those that an event counts as skipped."""


def read(endpoint: str, cursor: Path) -> LineEvents:
    """Every event of a station up to its status `stopped`, and whether product and status agree."""
    found, headers, announced = LineEvents(), [], ""
    for event in events(endpoint, cursor):
        header = event.header
        if isinstance(header, Status):
            announced = header.product
            if header.state == "stopped":
                break
            if found.products[-1:] != [announced]:  # a status may also report what people changed
                found.products.append(announced)
        if isinstance(header, Inspection):
            assert header.product == announced, (
                "an event names another product than the last status"
            )
            headers.append(header)
            found.verdicts[header.verdict] += 1
            found.thresholds[header.product].add(header.threshold)
            found.accounted += 1 + header.passed_over
    found.gaps_ms = [(b.published_ns - a.published_ns) / 1e6 for a, b in pairwise(headers)]
    found.triggers = [h.trigger_id for h in headers if h.trigger_id is not None]
    steps = ((b.frame_id - a.frame_id) % RECORDED for a, b in pairwise(headers))
    found.frames = headers[0].frame_id + sum(steps) if headers else 0
    return found


class Station:
    """`draem run` in a process of its own."""

    def __init__(self, root: Path, products: Path, name: str, source: str, *more: str) -> None:
        self.endpoint = f"tcp://127.0.0.1:{free_ports(4)[0]}"
        words = ("run", "--product", name, "--products", str(products), "--ok-one-in", "0")
        quiet = ("--ring", "0", "--pictures-mb", "0", "--endpoint", self.endpoint)
        command = [sys.executable, "-m", "draem", *words, "--source", source, *quiet, *more]
        with (root / "station.log").open("a") as log:
            self.process = subprocess.Popen(command, cwd=root, stderr=log)
        self.control = RequestClient(service_endpoint(self.endpoint, "control"), None, "--control")
        self._await_answer()

    def _await_answer(self) -> None:
        for _ in range(30):
            try:
                self.control.ask(Request(request="health"))
                return
            except NoAnswer:
                assert self.process.poll() is None, "the station has ended"
        raise AssertionError("the station does not answer")

    def switch(self, name: str) -> float:
        """Change the product; how long it took in seconds."""
        start = time.monotonic()
        switch(self.control, SwitchRequest(product=name))
        return time.monotonic() - start

    def resident_mb(self) -> float:
        """The memory that the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (row,) = [row for row in status.splitlines() if row.startswith("VmRSS")]
        return int(row.split()[1]) / 1024

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def kill(self) -> None:
        """End it as a loss of power would."""
        self.control.close()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as its supervisor would."""
        self.control.close()
        self.process.terminate()
        return self.process.wait(20)


def start_reading(station: Station, root: Path) -> Future[LineEvents]:
    """`read` on a thread of its own, from the log's first event on."""
    return ThreadPoolExecutor(1).submit(read, station.endpoint, root / "cursor.json")


def main(count: int) -> int:
    """`count` switches back and forth at RATE frames a second, with the last demo's product."""
    if not Path("demo/products/lid/current/calibration.json").exists():
        print("no product: run './just demo' first", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree("demo/products", root / "products", symlinks=True)
        return long_run(root, "lid", count)


def long_run(root: Path, name: str, count: int) -> int:
    """The figures of the long run; 1 where the memory or the threads grew."""
    second_product(root / "products", name, "twin")
    station = Station(root, root / "products", name, recording(root / "ring"))
    reading = start_reading(station, root)
    station.switch("twin")
    memory, threads, took = [], [], []
    for i in track(range(count), "switching"):
        took.append(station.switch("twin" if i % 2 else name))
        memory.append(station.resident_mb())
        threads.append(station.threads())
    code = station.stop()
    found = reading.result(30)
    gaps = np.array(found.gaps_ms)
    print(f"{count} switches, each {np.median(took):.2f} s in the median, {max(took):.2f} at most")
    print(f"gap between events in ms: p50, p99, most {np.percentile(gaps, [50, 99, 100]).round(1)}")
    print(
        f"verdicts {dict(found.verdicts)}; {found.accounted} of {found.frames} frames accounted for"
    )
    early, late = np.median(memory[3:13]), np.median(memory[-10:])
    print(f"memory {early:.1f} MB early, {late:.1f} late; threads {set(threads[3:])}; ended {code}")
    return int(late - early > 10 or code != 0 or found.accounted != found.frames)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24))
