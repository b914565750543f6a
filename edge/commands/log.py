"""Show the event log of a station, also while the line runs.

Shows the last events as 'draem watch' does; --csv writes all inspections as a table, and --masks
all masks as PNG files named by inspection id (with --last the newest). 'draem log mark ID missed'
keeps the frame of a part that was judged wrongly, for the next training. 'draem log cursors' shows
the position of each subscriber in the log, and removes one that is no longer used.
"""

import argparse
import csv
import io
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

from edge.base.closeable import Closeable
from edge.base.files import atomic_file
from edge.commands.arguments import add_station, parse_count, settings_of
from edge.commands.watch import ISO, line, local_time
from edge.events.cursors import Cursors
from edge.events.encoding import decode
from edge.events.event import Event, Inspection, Verdict
from edge.events.journal import JournalError
from edge.events.journal_reader import JournalReader
from edge.vision.image_files import write_png
from edge.vision.marked_images import Label, mark

log = logging.getLogger(__name__)

SHOWN = 20
COLUMNS = (
    "seq", "published_at", "inspection_id", "frame_id", "trigger_id", "encoder", "part_id",
    "product", "version", "verdict", "code", "score", "threshold", "regions", "captured_at",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--last",
        type=parse_count,
        metavar="N",
        help="events (default: 20; with --csv or --masks, all)",
    )
    parser.add_argument("--verdict", choices=get_args(Verdict), help="inspections of one verdict")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write inspections as a table")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="write the masks as PNG files")
    parser.add_argument("--iso", action="store_true", help=ISO)
    add_station(parser, "data")
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
        add_station(action, "data")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    folder = settings.data / settings.station
    if options.action == "mark":
        return mark_picture(folder, options.inspection_id, options.label)
    if options.action == "cursors":
        return show_cursors(folder, getattr(options, "drop", None))
    written = options.csv or options.masks
    with JournalReader(folder) as reader, Written(options.csv, options.masks) as files:
        count = options.last if options.last or written else SHOWN
        messages = reader.newest(count, options.verdict) if count else reader.all(options.verdict)
        station = ""
        for event in map(decode, messages):
            if not station:
                station = event.header.station
                log.info("station %s", station)
            if written:
                files.add(event)
            else:
                print(line(event.header, options.iso))
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
            seen = local_time(c.seen_at)
            print(f"{c.name:<24} {c.role:<9} {c.seq:>10}  behind {behind:>8}  seen {seen}")
    return 0


class Written(Closeable):
    """A table with a row per inspection, and a folder of masks; either may be None.

    The table is complete, or the one before: it is renamed at the end of the block.
    """

    def __init__(self, table: Path | None, masks: Path | None) -> None:
        self._table, self._masks = table, masks
        self._opened = ExitStack()
        self._rows = self._mask_count = 0
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
        if table is not None:
            file = self._opened.enter_context(atomic_file(table))
            text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
            self._opened.callback(text.detach)
            self._writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
            self._writer.writeheader()

    def add(self, event: Event) -> None:
        """One inspection; `regions` is their number, `code` its name. Other events are left out."""
        header = event.header
        if not isinstance(header, Inspection):
            return
        if self._table is not None:
            fields = header.model_dump()
            named = {"code": header.code.name, "regions": len(header.regions)}
            self._writer.writerow(fields | named)
            self._rows += 1
        if self._masks is not None and event.mask is not None:
            write_png(self._masks / f"{header.inspection_id}.png", event.mask)
            self._mask_count += 1

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)  # type: ignore[arg-type]
        if error[0] is None and self._table is not None:
            log.info("%d inspections in %s", self._rows, self._table)
        if error[0] is None and self._masks is not None:
            log.info("%d masks in %s", self._mask_count, self._masks)
