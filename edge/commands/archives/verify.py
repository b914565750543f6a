"""Check that no entry of the audit trail was changed, removed or moved; show it or export it.

Note the last line elsewhere: it proves later that the end of the trail was not cut off.
"""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from edge.archive.audit import Entry
from edge.base.csv_table import csv_table
from edge.base.files import write_atomic
from edge.commands.archives.shared import add_archive, opened

TEMPLATE = Path(__file__).with_name("audit.html")
COLUMNS = tuple(Entry.__dataclass_fields__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the trail as a table")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page to print")
    add_archive(parser)


def main(options: argparse.Namespace) -> int:
    with opened(options) as archive:
        entries, faults, head = archive.audit.verified()
    if options.csv:
        write_atomic(options.csv, csv_table(COLUMNS, map(asdict, entries)))
    if options.html:
        from edge.base.html_page import write_page

        write_page(
            options.html,
            TEMPLATE,
            entries=entries,
            faults=faults,
            head=head,
            made=datetime.now(UTC),
        )
    for fault in faults:
        print(f"altered: {fault}")
    print(f"{len(entries)} entries, the last is {head}")
    return 1 if faults else 0
