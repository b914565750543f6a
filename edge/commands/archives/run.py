"""Collect events and frames of running stations into the archive, until Ctrl-C.

It may be stopped, killed and started again at any time: each station keeps what is not archived
yet, for --cursor-days at most while the archive is down. Several archives may write one PostgreSQL
database, each for stations of its own.
"""

import argparse
import signal
import sys
from contextlib import ExitStack

from edge.archive.collector import Collector, StationAddress
from edge.archive.database import archive_id, open_database
from edge.archive.picture_fetcher import PictureFetcher
from edge.archive.picture_store import PictureStore
from edge.archive.retention import ArchiveLimits, ArchiveRetention
from edge.archive.writer import Writer
from edge.base.metrics import served_metrics
from edge.commands.archives.shared import add_archive
from edge.commands.arguments import (
    add_settings,
    credentials,
    parse_cursor_name,
    parse_whole,
    settings_of,
)
from edge.events.client import RequestClient, service_endpoint
from edge.station.settings import Station

FRAMES_MS = 30_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_archive(parser)
    add = parser.add_argument
    add("--from", dest="stations", action="append", metavar="ENDPOINT",
        help="a station's address of events; again for each (default: --endpoint)")  # fmt: skip
    add(
        "--name",
        type=parse_cursor_name,
        default="archive",
        help="this archive's name at the stations (default archive)",
    )
    add("--ok-one-in", dest="ok_one_in_archive", type=parse_whole, default=100, metavar="N",
        help="keep the frame of one OK part in N (default 100; 0: none)")  # fmt: skip
    for name, default, of in (
        ("ok-picture-days", 30, "pictures of OK parts"),
        ("picture-days", 365, "other pictures and masks"),
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
    store.claim(archive_id(engine))
    limits = ArchiveLimits(options.ok_picture_days or None, options.picture_days or None)
    keys = credentials(settings)
    with ExitStack() as stack:
        clients = {
            s.endpoint: stack.enter_context(
                RequestClient(s.replay or service_endpoint(s.endpoint), keys, "--from", FRAMES_MS)
            )
            for s in stations
        }
        writer = Writer(engine, store, options.ok_one_in_archive, list(clients))
        collector = stack.enter_context(Collector(writer, stations, keys, options.name))
        fetcher = stack.enter_context(PictureFetcher(engine, store, clients))
        if options.metrics:
            from edge.archive.metrics import ArchiveMetrics

            stack.enter_context(served_metrics(options.metrics, ArchiveMetrics(collector, fetcher)))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: _end(collector))
        print(f"archiving {', '.join(clients)} (Ctrl-C ends)", file=sys.stderr)
        stack.enter_context(ArchiveRetention(engine, store, limits)).start()
        collector.run(fetcher.raise_if_died)
    engine.dispose()
    return 0


def _end(collector: Collector) -> None:
    """Stop after this batch; a second signal ends at once, as one of a database that hangs."""
    collector.stop()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stations(options: argparse.Namespace, settings: Station) -> list[StationAddress]:
    if not options.stations:
        return [StationAddress(settings.endpoint, settings.replay)]
    return [StationAddress(endpoint) for endpoint in dict.fromkeys(options.stations)]
