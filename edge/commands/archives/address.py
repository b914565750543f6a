"""Options that say where an archive is, for the commands of 'draem archive' and others."""

import argparse

from edge.archive.places import DATABASE, PICTURES, ArchiveAddress

OF_OTHERS = "archive_"


def add_address(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Database and pictures; variables, so that no password is in a command."""
    usual, option = ArchiveAddress(), f"--{prefix.replace('_', '-')}"
    parser.add_argument(
        f"{option}database",
        default=usual.database,
        metavar="ADDRESS",
        help=f"a file for SQLite (default {DATABASE}), or postgresql+psycopg://user@host/name; "
        "the variable DRAEM_ARCHIVE_DATABASE keeps a password out of the command",
    )
    parser.add_argument(
        f"{option}pictures",
        default=usual.pictures,
        metavar="ADDRESS",
        help=f"a folder (default {PICTURES}), or s3://bucket/path; also DRAEM_ARCHIVE_PICTURES",
    )


def add_archive_of_queries(parser: argparse.ArgumentParser) -> None:
    """The same for commands that take 'archive:QUERY' where a folder could stand."""
    add_address(parser, OF_OTHERS)


def address_of_queries(options: argparse.Namespace) -> ArchiveAddress:
    """The archive of a command's queries."""
    return ArchiveAddress(options.archive_database, options.archive_pictures)
