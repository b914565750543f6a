"""A query where a folder of images could stand: `archive:product=lid label=false-reject since=30d`.

It has the words of 'draem archive find', written as in a shell.
"""

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge.archive.errors import ArchiveError
from edge.archive.query import Query, parse_query, words_of
from edge.vision.marked_images import ARCHIVE

log = logging.getLogger(__name__)

DATABASE, PICTURES = "archive/archive.db", "archive/pictures"


@dataclass(frozen=True)
class ArchiveAddress:
    """Where an archive's database and its pictures are; the variables that 'draem archive' has."""

    database: str = field(
        default_factory=lambda: os.environ.get("DRAEM_ARCHIVE_DATABASE") or DATABASE
    )
    pictures: str = field(
        default_factory=lambda: os.environ.get("DRAEM_ARCHIVE_PICTURES") or PICTURES
    )


def parse_place(text: str) -> Path | str:
    """A folder or a file; a query of an archive stays text."""
    return text if text.startswith(ARCHIVE) else Path(text)


def split_places(places: Sequence[Path | str]) -> tuple[list[Path], list[str]]:
    """Folders and files, and queries."""
    paths = [place for place in places if isinstance(place, Path)]
    return paths, [place for place in places if isinstance(place, str)]


def fixed_query(text: str, product: str) -> str:
    """The query of `product`, if it names none, until now; it means the same parts later.

    Relative times become fixed ones. Raises ArchiveError.
    """
    query = query_of(text)
    if query.product not in (None, product):
        log.warning("%s asks for parts of %s, not of %s", text, query.product, product)
    fixed = {
        "product": query.product or product,
        "until": query.until or datetime.now().astimezone(),
    }
    return ARCHIVE + shlex.join(words_of(query.model_copy(update=fixed)))


def query_of(text: str) -> Query:
    """The query of a place. Raises ArchiveError."""
    try:
        words = shlex.split(text.removeprefix(ARCHIVE))
    except ValueError as error:
        raise ArchiveError(f"{text}: {error}; close it") from error
    return parse_query(words)
