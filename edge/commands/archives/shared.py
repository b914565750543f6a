"""What the actions of 'draem archive' have in common: where the archive is, queries as words."""

import argparse

from edge.archive.archive import Archive
from edge.archive.query import Query
from edge.commands.archives.address import add_address


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Where the database and the pictures are."""
    add_address(parser)


def add_query(parser: argparse.ArgumentParser) -> None:
    """Words that say which inspections."""
    names = ", ".join(
        f"{name}= ({field.description})" for name, field in Query.model_fields.items()
    )
    parser.add_argument("query", nargs="*", metavar="NAME=VALUE", help=f"{names}; default: all")
    parser.set_defaults(intermixed=True)


def opened(options: argparse.Namespace) -> Archive:
    """The archive that the options name."""
    return Archive(options.database, options.pictures)
