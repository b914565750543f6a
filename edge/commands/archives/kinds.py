"""The plant's own kinds of defects: show them, or add one."""

import argparse

from edge.commands.archives.shared import add_archive, opened
from edge.commands.arguments import add_person


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--add", metavar="NAME", help="a new kind, such as scratch")
    add_person(parser)
    add_archive(parser)


def main(options: argparse.Namespace) -> int:
    with opened(options) as archive:
        if options.add:
            archive.add_kind(options.add, options.who, reason=options.reason)
        for name in archive.kinds():
            print(name)
    return 0
