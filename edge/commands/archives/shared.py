"""What the actions of 'draem archive' have in common: where the archive is, queries as words."""

import argparse
import os

from edge.archive.archive import Archive
from edge.archive.query import Query

DATABASE, PICTURES = "archive/archive.db", "archive/pictures"


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Where the database and the pictures are; variables, so that no password is in a command."""
    parser.add_argument(
        "--database",
        default=os.environ.get("DRAEM_ARCHIVE_DATABASE") or DATABASE,
        metavar="ADDRESS",
        help=f"a file for SQLite (default {DATABASE}), or postgresql+psycopg://user@host/name; "
        "the variable DRAEM_ARCHIVE_DATABASE keeps a password out of the command",
    )
    parser.add_argument(
        "--pictures",
        default=os.environ.get("DRAEM_ARCHIVE_PICTURES") or PICTURES,
        metavar="ADDRESS",
        help=f"a folder (default {PICTURES}), or s3://bucket/path; also DRAEM_ARCHIVE_PICTURES",
    )


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
