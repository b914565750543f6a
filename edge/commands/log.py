"""Look into a station's log of events, while the line runs or after.

The last events are shown as 'draem watch' shows them; --csv writes their headers as a table and
--masks their masks as PNG files named by inspection id. The log is only read.
"""

import argparse
import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from edge.arguments import add_settings, settings_of
from edge.commands.watch import line
from edge.event import Event, Inspection, Verdict, decode
from edge.images import write_png
from edge.journal import Reader

log = logging.getLogger(__name__)

COLUMNS = (
    "seq", "published_at", "inspection_id", "frame_id", "trigger_id", "encoder", "part_id",
    "product", "version", "verdict", "code", "score", "threshold", "regions", "captured_at",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", type=_count, default=20, metavar="N", help="events (default 20)")
    parser.add_argument("--verdict", choices=get_args(Verdict), help="inspections of one verdict")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write inspections as a table")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="write the masks as PNG files")
    add_settings(parser, "station", "data")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with Reader(settings.data / settings.station) as reader:
        events = [decode(message) for message in reader.newest(options.last, options.verdict)]
    if options.csv:
        write_csv(options.csv, events)
    if options.masks:
        write_masks(options.masks, events)
    if not (options.csv or options.masks):
        for event in events:
            print(line(event.header))
    return 0


def write_csv(path: Path, events: Sequence[Event]) -> None:
    """One row an inspection; `regions` is how many, `code` its name."""
    rows = [event.header for event in events if isinstance(event.header, Inspection)]
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            for header in rows:
                fields = header.model_dump()
                writer.writerow(fields | {"code": header.code.name, "regions": len(header.regions)})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    log.info("%d inspections in %s", len(rows), path)


def write_masks(folder: Path, events: Sequence[Event]) -> None:
    """`<inspection id>.png` for each event that has a mask."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for event in events:
        if isinstance(event.header, Inspection) and event.mask is not None:
            write_png(folder / f"{event.header.inspection_id}.png", event.mask)
            count += 1
    log.info("%d masks in %s", count, folder)
