"""Find inspections, newest first.

--json writes one JSON object each, --csv and --parquet write files, --save copies pictures and
masks into a folder as KEY.png and KEY-mask.png.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from edge.archive.archive import Archive
from edge.archive.errors import ArchiveError
from edge.archive.query import parse_query
from edge.archive.search import Found
from edge.base.csv_table import csv_table
from edge.base.files import atomic_file, write_atomic
from edge.commands.archives.shared import add_archive, add_query, opened
from edge.commands.arguments import parse_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_query(parser)
    add = parser.add_argument
    add("--limit", type=parse_whole, default=50, metavar="N",
        help="at most so many (default 50; 0: all)")  # fmt: skip
    add("--json", action="store_true", help="one JSON object for each")
    add("--csv", type=Path, metavar="FILE", help="write a table")
    add("--parquet", type=Path, metavar="FILE", help="write a table for data frames")
    add("--save", type=Path, metavar="DIR", help="copy pictures and masks")
    add_archive(parser)


def main(options: argparse.Namespace) -> int:
    query = parse_query(options.query)
    with opened(options) as archive:
        found = archive.find_all(query)
        parts = list(islice(found, options.limit or None))
        if options.csv:
            write_atomic(
                options.csv, csv_table(list(Found.__dataclass_fields__), map(_flat, parts))
            )
        if options.parquet:
            write_parquet(options.parquet, parts)
        if options.save:
            save(archive, options.save, parts)
        if not (options.csv or options.parquet or options.save):
            for part in parts:
                print(json.dumps(plain(part)) if options.json else line(part))
    return 0


def plain(part: Found) -> dict[str, Any]:
    """An inspection as JSON has it; times in ISO 8601."""
    return asdict(part) | {"at": part.at.isoformat()}


def line(part: Found) -> str:
    """An inspection as one line of text, in local time."""
    score = "-" if part.score is None else f"{part.score:.3f}"
    name = part.part_id or (f"trigger {part.trigger_id}" if part.trigger_id is not None else "")
    what = f"{part.label}:{part.kind}" if part.kind else part.label or ""
    code = "" if part.code == "none" else part.code
    at = f"{part.at.astimezone():%Y-%m-%d %H:%M:%S %z}"
    who = f"{part.station} {part.product} {part.version}"
    return f"{part.key:<12} {at}  {who:<20} {part.verdict:<10} {score:>6}  {name} {code} {what}"


def _flat(part: Found) -> dict[str, Any]:
    """For tables: details as JSON text."""
    return plain(part) | {"details": json.dumps(part.details)}


def write_parquet(path: Path, parts: Sequence[Found]) -> None:
    """The same table in columns, through pyarrow."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist([_flat(part) | {"at": part.at} for part in parts])
    with atomic_file(path) as file:
        pyarrow.parquet.write_table(table, file)


def save(archive: Archive, folder: Path, parts: Iterable[Found]) -> None:
    """Copy what the archive has; what is missing is reported."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        for digest, name in ((part.picture, part.key), (part.mask, f"{part.key}-mask")):
            if digest is None:
                continue
            try:
                write_atomic(folder / f"{name}.png", archive.object(digest))
            except ArchiveError as error:
                print(f"{name}.png: {error}", file=sys.stderr)
        if part.picture is None and part.picture_state != "none":
            print(f"{part.key}: its picture is {part.picture_state}", file=sys.stderr)
