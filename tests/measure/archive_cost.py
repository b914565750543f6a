"""What archive and metrics cost the loop: the same station with and without both, in pairs.

The station publishes 20 parts a second, each with a picture; with the archive, `draem archive run`
subscribes and fetches frames, and /metrics is scraped each second. Reported is the time in the loop
from capture to publication.

  python -m tests.measure.archive_cost [--pairs N] [--seconds N]
"""

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from tests.measure.live_station import StationProcess
from tests.measure.web_live import percentile
from tests.support.archive_process import ArchiveProcess
from tests.support.ports import free_ports

SETTLE_S, SCRAPE_S = 5.0, 1.0


def window(station: StationProcess, seconds: float, metrics: int | None = None) -> list[float]:
    """Milliseconds from capture to publication of each part in some seconds."""
    time.sleep(SETTLE_S)
    first, end = station.head(), time.monotonic() + seconds
    while time.monotonic() < end:
        if metrics is not None:
            with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
                answer.read()
        time.sleep(SCRAPE_S)
    return [(h.published_ns - h.captured_ns) / 1e6 for h in station.events(first)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="just archive-cost", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    for pair in range(1, options.pairs + 1):
        for metrics in (None, free_ports(1)[0]):
            with TemporaryDirectory() as temporary:
                folder = Path(temporary)
                with StationProcess(folder, metrics) as station:
                    if metrics is None:
                        found = window(station, options.seconds)
                    else:
                        with ArchiveProcess(folder, station.endpoint):
                            found = window(station, options.seconds, metrics)
            name = "without" if metrics is None else "with archive and metrics"
            p50, p99 = percentile(found, 50), percentile(found, 99)
            print(f"pair {pair} {name}: {len(found)} parts, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
