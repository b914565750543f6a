"""Show the event log of a station, also while the line runs.

Shows the last events as 'draem watch' does; --csv writes their headers as a table and --masks their
masks as PNG files named by inspection id. 'draem log mark ID missed' keeps the frame of a part that
was judged wrongly, for the next training. 'draem log cursors' shows the position of each subscriber
in the log, and removes one that is no longer used.
"""

import argparse
import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from edge.commands.arguments import add_settings, parse_count, settings_of
from edge.commands.watch import line
from edge.events.cursors import Cursors
from edge.events.encoding import decode
from edge.events.event import Event, Inspection, Verdict
from edge.events.journal import JournalError
from edge.events.journal_reader import JournalReader
from edge.vision.image_files import write_png
from edge.vision.marked_images import Label, mark

log = logging.getLogger(__name__)

COLUMNS = (
    "seq", "published_at", "inspection_id", "frame_id", "trigger_id", "encoder", "part_id",
    "product", "version", "verdict", "code", "score", "threshold", "regions", "captured_at",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--last", type=parse_count, default=20, metavar="N", help="events (default 20)"
    )
    parser.add_argument("--verdict", choices=get_args(Verdict), help="inspections of one verdict")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write inspections as a table")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="write the masks as PNG files")
    add_settings(parser, "station", "data")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    marking = actions.add_parser(
        "mark",
        help="keep the frame of an inspection, with a label",
        argument_default=argparse.SUPPRESS,
    )
    marking.add_argument("inspection_id", type=parse_count, metavar="ID")
    marking.add_argument("label", choices=get_args(Label))
    cursors = actions.add_parser(
        "cursors",
        help="the position of each subscriber in the log",
        argument_default=argparse.SUPPRESS,
    )
    cursors.add_argument("--drop", metavar="NAME", help="remove this cursor")
    for action in (marking, cursors):
        add_settings(action, "station", "data")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    folder = settings.data / settings.station
    if options.action == "mark":
        return mark_picture(folder, options.inspection_id, options.label)
    if options.action == "cursors":
        return show_cursors(folder, getattr(options, "drop", None))
    with JournalReader(folder) as reader:
        events = [decode(message) for message in reader.newest(options.last, options.verdict)]
    if options.csv:
        write_csv(options.csv, events)
    if options.masks:
        write_masks(options.masks, events)
    if not (options.csv or options.masks):
        for event in events:
            print(line(event.header))
    return 0


def mark_picture(folder: Path, inspection_id: int, label: Label) -> int:
    """Keep a frame that was judged wrongly."""
    with JournalReader(folder) as reader:
        message = reader.inspection(inspection_id)
    if message is None:
        raise JournalError(f"inspection {inspection_id} is not in the log in {folder}")
    header = decode(message).header
    assert isinstance(header, Inspection)
    log.info("kept as %s", mark(folder, header, label))
    return 0


def show_cursors(folder: Path, drop: str | None) -> int:
    """One line per cursor, after removing the one named `drop`."""
    with JournalReader(folder) as reader, Cursors(folder) as cursors:
        if drop and not cursors.drop(drop):
            raise JournalError(f"no cursor is named '{drop}': see 'draem log cursors'")
        head = reader.head()
        for c in cursors.all():
            behind = head - c.seq if c.stream_id == reader.stream_id else "another log"
            print(f"{c.name:<24} {c.role:<9} {c.seq:>10}  behind {behind:>8}  seen {c.seen_at}")
    return 0


def write_csv(path: Path, events: Sequence[Event]) -> None:
    """One row per inspection; `regions` is their number, `code` its name."""
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
