"""Collect events and frames of running stations into the archive, until Ctrl-C.

It may be stopped, killed and started again at any time: each station keeps what is not archived
yet, for --cursor-days at most while the archive is down. Several archives may write one PostgreSQL
database, each for stations of its own.
"""

import argparse
import logging
import signal
import sys
import time
from contextlib import ExitStack

from edge.archive.collector import Collector, StationAddress
from edge.archive.database import open_database
from edge.archive.errors import ArchiveError
from edge.archive.picture_fetcher import PictureFetcher
from edge.archive.picture_store import PictureStore
from edge.archive.retention import ArchiveLimits, ArchiveRetention
from edge.archive.writer import Writer
from edge.base.metrics import served_metrics
from edge.commands.archives.shared import add_archive
from edge.commands.arguments import add_settings, credentials, parse_whole, settings_of
from edge.events.client import RequestClient, service_endpoint
from edge.station.settings import Station

log = logging.getLogger(__name__)

TRIM_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_archive(parser)
    add = parser.add_argument
    add("--from", dest="stations", action="append", metavar="ENDPOINT",
        help="a station's address of events; again for each (default: --endpoint)")  # fmt: skip
    add("--name", default="archive", help="this archive's name at the stations (default archive)")
    add("--ok-one-in", dest="ok_one_in_archive", type=parse_whole, default=100, metavar="N",
        help="keep the frame of one OK part in N (default 100; 0: none)")  # fmt: skip
    for name, default, of in (
        ("ok-picture-days", 30, "pictures of OK parts"),
        ("picture-days", 365, "other pictures"),
        ("row-days", 0, "inspections"),
    ):
        add(f"--{name}", type=parse_whole, default=default, metavar="N",
            help=f"days that {of} are kept (default {default}; 0: for ever)")  # fmt: skip
    add("--metrics", metavar="[HOST:]PORT",
        help="serve metrics for Prometheus (default off; without a host, on loopback)")  # fmt: skip
    add_settings(parser, "endpoint", "replay", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    stations = _stations(options, settings)
    engine = open_database(options.database, create=True)
    store = PictureStore(options.pictures)
    limits = ArchiveLimits(
        options.ok_picture_days or None, options.picture_days or None, options.row_days or None
    )
    retention = ArchiveRetention(engine, store, limits)
    keys = credentials(settings)
    with ExitStack() as stack:
        clients = {
            s.endpoint: stack.enter_context(
                RequestClient(s.replay or service_endpoint(s.endpoint), keys, "--from")
            )
            for s in stations
        }
        writer = Writer(engine, store, options.ok_one_in_archive)
        collector = stack.enter_context(Collector(writer, stations, keys, options.name))
        fetcher = stack.enter_context(PictureFetcher(engine, store, clients))
        if options.metrics:
            from edge.archive.metrics import ArchiveMetrics

            stack.enter_context(served_metrics(options.metrics, ArchiveMetrics(collector, fetcher)))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: collector.stop())
        print(f"archiving {', '.join(clients)} (Ctrl-C ends)", file=sys.stderr)
        collector.run(_Between(fetcher, retention))
    engine.dispose()
    return 0


class _Between:
    """What is done between batches: the other thread is watched, old data is deleted."""

    def __init__(self, fetcher: PictureFetcher, retention: ArchiveRetention) -> None:
        self._fetcher, self._retention, self._trim_at = fetcher, retention, 0.0

    def __call__(self) -> None:
        self._fetcher.raise_if_died()
        if time.monotonic() < self._trim_at:
            return
        more = False
        try:
            more = self._retention.trim()
        except ArchiveError as error:
            log.warning("nothing old is deleted for now: %s", error)
        self._trim_at = time.monotonic() + (0 if more else TRIM_S)


def _stations(options: argparse.Namespace, settings: Station) -> list[StationAddress]:
    if not options.stations:
        return [StationAddress(settings.endpoint, settings.replay)]
    return [StationAddress(endpoint) for endpoint in dict.fromkeys(options.stations)]
