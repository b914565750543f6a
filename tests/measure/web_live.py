"""What the live page costs and how late it is: a station, 'draem web', a browser with four pages.

Pairs of equal times without and with viewers at 20 parts a second, each with a picture: the time
in the loop from capture to publication, the age of each picture when it is painted, CPU, memory.

  python -m tests.measure.web_live [--pairs N] [--seconds N] [--pages N] [--nice]
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from edge.base.closeable import Closeable
from edge.camera import Camera
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from edge.vision.frame import Frame
from edge.web.accounts.roles import Role
from tests.measure.soak import resident_mb
from tests.support.browser import chromium, opened_page
from tests.support.minimal_station import FakeCamera, frame
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.waiting import wait_until
from tests.support.web_site import WebSite, log_in

RATE = 20
HEIGHT, WIDTH = 960, 1280
SETTLE_S = 5.0  # after pages are opened or closed: a subscription ends after three seconds
# In the page: the time of each picture's first frame on the screen. Two animation frames, since the
# first begins before it is painted.
WATCH = """() => {
  window.painted = [];
  const figure = document.querySelector(".live-picture");
  new MutationObserver(() => {
    const key = figure.dataset.shown;
    const painted = () => window.painted.push([key, Date.now()]);
    requestAnimationFrame(() => requestAnimationFrame(painted));
  }).observe(figure, { attributes: true, attributeFilter: ["data-shown"] });
}"""


class Pictures(FakeCamera):
    """Pictures of a real size at RATE, each seventh of them NG."""

    live = True

    def __init__(self) -> None:
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        texture = (16 * np.sin(x / 9) * np.cos(y / 13)).astype(np.int16)
        self._frames = [
            np.repeat((gray + texture).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
            for gray in (60, 200)
        ]
        self._count, self._due = 0, time.monotonic()

    def read(self) -> Frame:
        self._due = max(self._due + 1 / RATE, time.monotonic() - 1)
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._count += 1
        image = self._frames[self._count % 7 == 0]
        return replace(frame(self._count), image=image, captured_ns=time.monotonic_ns())


class PicturesRunning(Running):
    """A station with these pictures."""

    def _camera(self) -> Camera:
        return Pictures()


def run_station(folder: str, port: str, metrics: str = "") -> None:
    """The station, in a process of its own, until SIGTERM."""
    endpoint, served = f"tcp://127.0.0.1:{port}", metrics or None
    running = PicturesRunning(Path(folder), endpoint=endpoint, live_rate=60, metrics=served)
    signal.sigwait({signal.SIGTERM})
    running.close()


class StationProcess(Closeable):
    """The process of `run_station`; its log tells what the loop did."""

    def __init__(self, folder: Path, metrics: int | None = None) -> None:
        port = free_ports(4)[0]
        self.endpoint, self._log = f"tcp://127.0.0.1:{port}", folder / "station-1"
        words = ["-m", "tests.measure.web_live", "station", str(folder), str(port)]
        words += [str(metrics)] if metrics else []
        self.process = subprocess.Popen([sys.executable, *words])
        wait_until(lambda: (self._log / "events.db").is_file(), "the station writes its log")

    def events(self, after: int) -> list[Inspection]:
        """All inspections after an event."""
        with JournalReader(self._log) as reader:
            headers = [decode(message).header for message in reader.page(after, 1_000_000)]
        return [header for header in headers if isinstance(header, Inspection)]

    def head(self) -> int:
        """The newest event."""
        with JournalReader(self._log) as reader:
            return reader.head()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@dataclass
class Window:
    """What was measured in one time with or without viewers."""

    loop_ms: list[float]
    web_cpu: float
    station_cpu: float
    web_mb: float
    ages_ms: list[float] = field(default_factory=list)
    nodes: int = 0
    heap_mb: float = 0.0


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(site: WebSite, station: StationProcess, pages: list[Page], seconds: float) -> Window:
    """One window; the pages are open already."""
    time.sleep(SETTLE_S)
    for page in pages:
        page.evaluate(WATCH)
    first, pids = station.head(), (site.pid, station.process.pid)
    before, begin = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begin
    web, line = [(cpu_s(p) - b) / passed for p, b in zip(pids, before, strict=True)]
    found = station.events(first)
    loop_ms = [(h.published_ns - h.captured_ns) / 1e6 for h in found]
    window = Window(loop_ms, web, line, resident_mb(site.pid))
    published = {f"{h.stream_id}:{h.seq}": h.published_at for h in found}
    for page in pages:
        found_there = page.evaluate("window.painted || null")
        if found_there is None:  # a busy machine: the page lost its server, and was loaded again
            print("a page was loaded again", file=sys.stderr)
        for key, painted in found_there or []:
            if key in published:
                at = datetime.fromisoformat(published[key]).timestamp() * 1000
                window.ages_ms.append(painted - at)
        window.nodes = max(window.nodes, page.evaluate("document.querySelectorAll('*').length"))
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        window.heap_mb = max(window.heap_mb, heap)
    return window


@contextmanager
def viewers(browser: Browser, site: WebSite, count: int) -> Iterator[list[Page]]:
    """So many people who look."""
    with ExitStack() as stack:
        pages = [stack.enter_context(opened_page(browser, site.address)) for _ in range(count)]
        for page in pages:
            log_in(page, Role.VIEWER)
            page.wait_for_selector(".live-holder img")
        yield pages


def yield_to_the_station() -> None:
    """Lowest priority for the browser: elsewhere it does not run on the line's machine."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().partition(" (")[2].rpartition(") ")
            parents[int(path.parent.name)] = (name, int(rest.split()[1]))
    for pid, (name, parent) in parents.items():
        while parent in parents and parent != os.getpid():
            parent = parents[parent][1]
        if name.startswith(("chrom", "headless")) and parent == os.getpid():
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, int(task.name), 19)


def percentile(values: list[float], part: int) -> float:
    """The so many-th percentile; NaN of nothing."""
    return float(np.percentile(values, part)) if values else float("nan")


def show(name: str, window: Window, pages: int, seconds: float) -> None:
    """One line for a window."""
    line = (
        f"{name:8} parts {len(window.loop_ms) / seconds:5.1f}/s  loop p50 "
        f"{percentile(window.loop_ms, 50):6.2f} p99 {percentile(window.loop_ms, 99):6.2f} ms  CPU "
        f"web {window.web_cpu:5.1%} station {window.station_cpu:5.1%}  web {window.web_mb:6.1f} MB"
    )
    if window.ages_ms:
        line += (
            f"  pictures {len(window.ages_ms) / seconds / pages:4.1f}/s a page, age p50 "
            f"{percentile(window.ages_ms, 50):4.0f} p95 {percentile(window.ages_ms, 95):4.0f} ms  "
            f"nodes {window.nodes}  heap {window.heap_mb:.1f} MB"
        )
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--nice", action="store_true", help="the browser yields to the station")
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    ratios, ages = [], []
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folders = [Path(place) / name for name in ("station", "site")]
        for folder in folders:
            folder.mkdir()
        station = stack.enter_context(StationProcess(folders[0]))
        site = stack.enter_context(WebSite(folders[1], "--endpoint", station.endpoint))
        browser = stack.enter_context(chromium())
        for _ in range(options.pairs):
            alone = measure(site, station, [], options.seconds)
            show("alone", alone, 0, options.seconds)
            with viewers(browser, site, options.pages) as pages:
                if options.nice:
                    yield_to_the_station()
                seen = measure(site, station, pages, options.seconds)
            show("viewers", seen, options.pages, options.seconds)
            ratios.append(percentile(seen.loop_ms, 99) / percentile(alone.loop_ms, 99))
            ages.append(percentile(seen.ages_ms, 95))
    print(f"loop p99 with viewers / without: median {statistics.median(ratios):.2f} "
          f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip
    print(f"age of a painted picture, p95: median {statistics.median(ages):.0f} ms "
          f"({min(ages):.0f} to {max(ages):.0f})")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["station"]:
        run_station(*sys.argv[2:])
    else:
        main()
