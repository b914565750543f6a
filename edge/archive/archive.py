"""`Archive`: what the page, commands and scripts ask an archive, and what people add to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

from sqlalchemy import select

from edge.archive import audit, labels, search, statistics
from edge.archive.audit import Change, Entry
from edge.archive.database import open_database, reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.search import Found, Page
from edge.archive.statistics import By, Counts, Of, Shifts
from edge.archive.streams import Stream, streams
from edge.archive.tables import region
from edge.archive.thumbnails import Thumbnails
from edge.base.closeable import Closeable
from edge.base.person import LONGEST_REASON, here

PAGE = 500


class Archive(Closeable):
    """An archive by the addresses of its database and its pictures. Raises ArchiveError."""

    def __init__(self, database: str, pictures: str | None = None) -> None:
        self._engine = open_database(database)
        self._pictures = pictures
        self._store: PictureStore | None = None
        self._thumbnails: Thumbnails | None = None
        self._opening = Lock()

    def find(self, query: Query, limit: int = 50, after: str | None = None) -> Page:
        """One page of inspections, newest first; `after` is that of the page before."""
        with reading(self._engine) as connection:
            return search.find(connection, query, limit, after)

    def find_all(self, query: Query) -> Iterator[Found]:
        """All inspections that a query means, newest first."""
        page = self.find(query, PAGE)
        yield from page.parts
        while page.after is not None:
            page = self.find(query, PAGE, page.after)
            yield from page.parts

    def part(self, key: str) -> Found:
        """One inspection by its key."""
        with reading(self._engine) as connection:
            return search.find_one(connection, key)

    def regions(self, key: str) -> list[dict[str, Any]]:
        """Its defects: boxes and areas in pixels and, where measured, in millimetres."""
        this = search.is_key(region, key)
        left_out = ("stream", "seq", "at", "product")
        with reading(self._engine) as connection:
            rows = connection.execute(select(region).where(this).order_by(region.c.number))
            return [{k: v for k, v in r._mapping.items() if k not in left_out} for r in rows]

    def object(self, digest: str) -> bytes:
        """The PNG of a picture or a mask by its digest."""
        return self._opened_store()[0].get(bytes.fromhex(digest))

    def thumbnail(self, digest: str, side: int = 160) -> bytes:
        """A small JPEG of a picture or a mask; its longer side has at most `side` pixels."""
        return self._opened_store()[1].get(bytes.fromhex(digest), side)

    def _opened_store(self) -> tuple[PictureStore, Thumbnails]:
        """Opened when it is used first: a search needs none."""
        with self._opening:
            if self._store is None or self._thumbnails is None:
                if self._pictures is None:
                    raise ArchiveError("this archive was opened without pictures: name --pictures")
                self._store = PictureStore(self._pictures)
                self._thumbnails = Thumbnails(self._store)
            return self._store, self._thumbnails

    def streams(self) -> Sequence[Stream]:
        """The logs that the archive follows, and how far it is with each."""
        with reading(self._engine) as connection:
            return streams(connection)

    def counts(self, query: Query, by: Sequence[By], shifts: Shifts | None = None) -> list[Counts]:
        """Verdicts, rates and first-pass yield of each group."""
        with reading(self._engine) as connection:
            return statistics.counts(connection, query, by, shifts)

    def pareto(self, query: Query, of: Of) -> list[tuple[str, int]]:
        """The most frequent codes, labels, kinds or places of defects."""
        with reading(self._engine) as connection:
            return statistics.pareto(connection, query, of)

    def score_distribution(self, query: Query) -> list[tuple[float, int]]:
        """Parts by score / threshold."""
        with reading(self._engine) as connection:
            return statistics.score_distribution(connection, query)

    def label(self, key: str, given: Given, origin: str | None = None) -> None:
        """Say what an inspected part really is."""
        with writing(self._engine) as connection:
            labels.add_label(connection, key, given, origin or here())

    def labels(self, key: str) -> Sequence[Given]:
        """All labels of an inspection, oldest first."""
        with reading(self._engine) as connection:
            return labels.history(connection, key)

    def kinds(self) -> list[str]:
        """The plant's own kinds of defects."""
        with reading(self._engine) as connection:
            return labels.kinds(connection)

    def add_kind(self, name: str, who: str, origin: str | None = None, reason: str = "") -> None:
        """A new kind of defect."""
        with writing(self._engine) as connection:
            labels.add_kind(connection, name, who, origin or here(), reason)

    def record(self, change: Change) -> int:
        """Add an entry to the audit trail; its number."""
        audit.check(change)
        with writing(self._engine) as connection:
            return audit.add_entry(connection, change)

    @contextmanager
    def recorded(self, change: Change) -> Iterator[None]:
        """Record a change before it is made in the block, and an error that ends it.

        Where the entry cannot be written, the block is not run.
        """
        self.record(change)
        try:
            yield
        except Exception as error:
            why = str(error)[:LONGEST_REASON]
            self.record(replace(change, action=f"{change.action} failed", reason=why))
            raise

    def audit_trail(self, limit: int = 50, before: int | None = None) -> Sequence[Entry]:
        """Entries of the audit trail, newest first; the next page is `before` the last number."""
        with reading(self._engine) as connection:
            return audit.newest_entries(connection, limit, before)

    def whole_audit_trail(self) -> tuple[list[Entry], list[str], str]:
        """All of it, oldest first; what is wrong with it; number and digest of its head."""
        with reading(self._engine, of_one_moment=True) as connection:
            return (
                audit.entries(connection),
                audit.faults_of(connection),
                audit.head_of(connection),
            )

    def close(self) -> None:
        self._engine.dispose()
