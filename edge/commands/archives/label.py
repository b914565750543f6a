"""Say what inspected parts really are.

  draem archive label 1-4711 defect:scratch
  draem archive label 1-4712 1-4713 false-reject --remark "dust"

KEY is one of 'draem archive find'. Earlier labels of a part are kept as its history.
"""

import argparse
from typing import get_args

from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.query import Label
from edge.base.person import user
from edge.commands.archives.shared import add_archive, opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", nargs="+", metavar="KEY", help="inspections")
    parser.add_argument("label", metavar="LABEL", help="defect:KIND, false-reject, missed, unsure")
    parser.set_defaults(intermixed=True)
    parser.add_argument("--remark", default="", help="why")
    parser.add_argument("--who", default=user(), help="your name (default: the user's)")
    add_archive(parser)


def main(options: argparse.Namespace) -> int:
    name, _, kind = options.label.partition(":")
    if name not in get_args(Label):
        raise ArchiveError(f"'{name}' is no label: choose from {', '.join(get_args(Label))}")
    with opened(options) as archive:
        for key in options.keys:
            archive.label(key, Given(name, options.who, kind or None, options.remark))
    return 0
