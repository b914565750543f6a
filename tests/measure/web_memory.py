"""Whether the memory of 'draem web' and of a browser with a live page stays flat.

A station with 20 parts a second; each tenth of the time the pages go to History and back, as people
do. Memory is sampled all the time: of the page its resident memory, of the browser that of all its
processes, where shared pages count once. Flat means that the median of the last quarter is at most
10 % above that of the second one (the first fills caches). It ends with 1 where it is not flat.

  python -m tests.measure.web_memory [--minutes 60] [--pages 1]
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from playwright.sync_api import Page

from edge.web.accounts.roles import Role
from tests.measure.live_station import StationProcess
from tests.measure.soak import resident_mb
from tests.measure.web_live import browser_pids
from tests.support.browser import chromium, opened_page
from tests.support.web_site import WebSite, log_in

GROWTH = 0.1
SAMPLES, VISITS = 120, 10
VISIT_S = 3.0


def browser_mb() -> float:
    """Memory of the browser's processes; what they share is divided among them."""
    total = 0.0
    for pid in browser_pids():
        with suppress(OSError):  # a process that has ended
            rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024
    return total


def visit(pages: list[Page]) -> None:
    """Leave the live page for History, and come back."""
    for page in pages:
        page.goto("/history")
        page.wait_for_selector("[data-shown]")
    time.sleep(VISIT_S)
    for page in pages:
        page.goto("/")
        page.wait_for_selector(".live-holder img")


def sample(site: WebSite, pages: list[Page], minutes: float) -> dict[str, list[float]]:
    """SAMPLES of memory in MB, with VISITS in between."""
    found: dict[str, list[float]] = {"page": [], "browser": []}
    begin = time.monotonic()
    for number in range(SAMPLES):
        if number % (SAMPLES // VISITS) == 1:
            visit(pages)
        due = begin + (number + 1) * minutes * 60 / SAMPLES
        time.sleep(max(0.0, due - time.monotonic()))
        found["page"].append(resident_mb(site.pid))
        found["browser"].append(browser_mb())
        if number % (SAMPLES // 12) == 0:
            at = (time.monotonic() - begin) / 60
            print(f"{at:5.1f} min  page {found['page'][-1]:6.1f} MB  "
                  f"browser {found['browser'][-1]:6.1f} MB", flush=True)  # fmt: skip
    return found


def is_flat(name: str, found: list[float]) -> bool:
    """Compare the second with the last quarter, and say so."""
    quarter = len(found) // 4
    early, late = (
        statistics.median(part) for part in (found[quarter : 2 * quarter], found[-quarter:])
    )
    flat = late <= early * (1 + GROWTH)
    print(f"{name}: {early:.1f} MB, at the end {late:.1f} MB ({late / early - 1:+.1%}): "
          f"{'flat' if flat else 'grows'}")  # fmt: skip
    return flat


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--pages", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folders = [Path(place) / name for name in ("station", "site")]
        for folder in folders:
            folder.mkdir()
        station = stack.enter_context(StationProcess(folders[0]))
        site = stack.enter_context(WebSite(folders[1], "--endpoint", station.endpoint))
        browser = stack.enter_context(chromium())
        pages = [
            stack.enter_context(opened_page(browser, site.address)) for _ in range(options.pages)
        ]
        for page in pages:
            log_in(page, Role.VIEWER)
        found = sample(site, pages, options.minutes)
    flat = [is_flat(name, values) for name, values in found.items()]
    return 0 if all(flat) else 1


if __name__ == "__main__":
    sys.exit(main())
