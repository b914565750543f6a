"""What the live page costs the line and how late its pictures are, with viewers here or elsewhere.

A station with 20 parts a second, each with a picture, and 'draem web'. In turn, for equal times:
nobody looks; viewers at other machines look (programs that load all that a page loads and draw
nothing, at the lowest priority: what is left is the station's and the page's own share); a browser
on this machine has as many pages open (with --nice at the lowest priority). For each: the time in
the loop from capture to publication, the age of each picture, CPU, memory.

  python -m tests.measure.web_live [--pairs N] [--seconds N] [--pages N] [--live-rate N] [--nice]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from edge.events.event import Inspection
from edge.web.accounts.roles import Role
from tests.measure.live_station import LIVE_RATE, StationProcess
from tests.measure.soak import resident_mb
from tests.support.browser import chromium, opened_page
from tests.support.web_requests import session_headers
from tests.support.web_site import WebSite, log_in

SETTLE_S = 5.0  # after pages are opened or closed: a subscription ends after three seconds
Painted = list[tuple[str, float]]
Look = Callable[[], AbstractContextManager[Callable[[], list[Painted]]]]
"""Opens viewers; they return, for each, its pictures' events with their times in milliseconds."""
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


@dataclass
class Window:
    """What was measured in one time."""

    loop_ms: list[float]
    web_cpu: float
    station_cpu: float
    web_mb: float
    viewers: int = 0
    ages_ms: list[float] = field(default_factory=list)


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(site: WebSite, station: StationProcess, look: Look, seconds: float) -> Window:
    """One window."""
    with look() as painted:
        time.sleep(SETTLE_S)
        painted()  # what came before does not count
        first, pids = station.head(), (site.pid, station.process.pid)
        before, begin = [cpu_s(pid) for pid in pids], time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - begin
        web, line = [(cpu_s(p) - b) / passed for p, b in zip(pids, before, strict=True)]
        seen = painted()
        memory = resident_mb(site.pid)
    found = station.events(first)
    loop_ms = [(h.published_ns - h.captured_ns) / 1e6 for h in found]
    return Window(loop_ms, web, line, memory, len(seen), ages_ms(found, seen))


def ages_ms(found: list[Inspection], seen: list[Painted]) -> list[float]:
    """From an event's publication to its picture, for each viewer."""
    published = {f"{h.stream_id}:{h.seq}": h.published_at for h in found}
    at = {key: datetime.fromisoformat(text).timestamp() * 1000 for key, text in published.items()}
    return [came - at[key] for one in seen for key, came in one if key in at]


@contextmanager
def nobody() -> Iterator[Callable[[], list[Painted]]]:
    """No viewers."""
    yield list


@contextmanager
def elsewhere(site: WebSite, count: int) -> Iterator[Callable[[], list[Painted]]]:
    """Programs instead of browsers, as if these were on other machines."""
    words = [sys.executable, "-m", "tests.measure.light_viewers", site.address, str(count)]
    cookie = session_headers(site.folder, Role.VIEWER, site.address)["cookie"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    asked, answers = process.stdin, process.stdout
    assert asked is not None
    assert answers is not None
    try:
        asked.write(cookie + "\n")
        asked.flush()
        assert answers.readline() == "ready\n", "the viewers get no pictures"

        def painted() -> list[Painted]:
            asked.write("\n")
            asked.flush()
            seen: list[Painted] = json.loads(answers.readline())
            return seen

        yield painted
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def here(
    browser: Browser, site: WebSite, count: int, *, nice: bool
) -> Iterator[Callable[[], list[Painted]]]:
    """A browser on the line's own machine."""
    with ExitStack() as stack:
        pages = [stack.enter_context(opened_page(browser, site.address)) for _ in range(count)]
        for page in pages:
            log_in(page, Role.VIEWER)
            page.wait_for_selector(".live-holder img")
            page.evaluate(WATCH)
        if nice:
            yield_to_the_station()
        yield lambda: [taken(page) for page in pages]


def taken(page: Page) -> Painted:
    """What a page has painted since the last time."""
    seen: Painted | None = page.evaluate("window.painted?.splice(0) ?? null")
    if seen is None:  # a busy machine: the page lost its server, and was loaded again
        print("a page was loaded again", file=sys.stderr)
    return seen or []


def browser_pids() -> list[int]:
    """All processes of browsers that this one has started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().partition(" (")[2].rpartition(") ")
            parents[int(path.parent.name)] = (name, int(rest.split()[1]))
    found = []
    for pid, (name, parent) in parents.items():
        while parent in parents and parent != os.getpid():
            parent = parents[parent][1]
        if name.startswith(("chrom", "headless")) and parent == os.getpid():
            found.append(pid)
    return found


def yield_to_the_station() -> None:
    """Lowest priority for the browser, within its session and between sessions."""
    for pid in browser_pids():
        with suppress(OSError):  # a process that has ended
            Path(f"/proc/{pid}/autogroup").write_text("19")
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(task.name), 19)


def percentile(values: list[float], part: int) -> float:
    """The so many-th percentile; NaN of nothing."""
    return float(np.percentile(values, part)) if values else float("nan")


def show(name: str, window: Window, seconds: float) -> None:
    """One line for a window."""
    line = (
        f"{name:9} parts {len(window.loop_ms) / seconds:5.1f}/s  loop p50 "
        f"{percentile(window.loop_ms, 50):6.2f} p99 {percentile(window.loop_ms, 99):6.2f} ms  CPU "
        f"web {window.web_cpu:5.1%} station {window.station_cpu:5.1%}  web {window.web_mb:6.1f} MB"
    )
    if window.viewers:
        line += (
            f"  pictures {len(window.ages_ms) / seconds / window.viewers:4.1f}/s a viewer, age p50 "
            f"{percentile(window.ages_ms, 50):4.0f} p95 {percentile(window.ages_ms, 95):4.0f} ms"
        )
    print(line, flush=True)


def summary(name: str, windows: list[Window], alone: list[Window]) -> None:
    """Ratios of pairs, and the ages of pictures."""
    p99 = [percentile(window.loop_ms, 99) for window in windows]
    pairs = zip(p99, alone, strict=True)
    ratios = [with_ / percentile(without.loop_ms, 99) for with_, without in pairs]
    ages = [percentile(window.ages_ms, 95) for window in windows]
    print(f"{name}: loop p99 with viewers / without: median {statistics.median(ratios):.2f} "
          f"({min(ratios):.2f} to {max(ratios):.2f}), {statistics.median(p99):.1f} ms; "
          f"age of a picture, p95: median {statistics.median(ages):.0f} ms "
          f"({min(ages):.0f} to {max(ages):.0f})")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--nice", action="store_true", help="the browser yields to the station")
    parser.add_argument("--only", choices=("elsewhere", "here"), help="where viewers are")
    parser.add_argument("--live-rate", type=float, default=LIVE_RATE, help="of the station")
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folders = [Path(place) / name for name in ("station", "site")]
        for folder in folders:
            folder.mkdir()
        station = stack.enter_context(StationProcess(folders[0], live_rate=options.live_rate))
        site = stack.enter_context(WebSite(folders[1], "--endpoint", station.endpoint))
        looks: dict[str, Look] = {"nobody": nobody}
        if options.only != "here":
            looks["elsewhere"] = partial(elsewhere, site, options.pages)
        if options.only != "elsewhere":
            browser = stack.enter_context(chromium())
            looks["here"] = partial(here, browser, site, options.pages, nice=options.nice)
        windows: dict[str, list[Window]] = {name: [] for name in looks}
        for _ in range(options.pairs):
            for name, look in looks.items():
                windows[name].append(measure(site, station, look, options.seconds))
                show(name, windows[name][-1], options.seconds)
    alone = windows.pop("nobody")
    for name, found in windows.items():
        summary(name, found, alone)


if __name__ == "__main__":
    main()
