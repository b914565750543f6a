"""`Archive`: what the page, commands and scripts ask an archive, and what people add to it."""

import getpass
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from sqlalchemy import select

from edge.archive import audit, labels, search, statistics
from edge.archive.audit import Change
from edge.archive.database import open_database, reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.search import Found, Page
from edge.archive.statistics import By, Counts, Of, Shifts
from edge.archive.tables import region
from edge.base.closeable import Closeable

PAGE = 500


class Archive(Closeable):
    """An archive by the addresses of its database and its pictures. Raises ArchiveError."""

    def __init__(self, database: str, pictures: str | None = None) -> None:
        self._engine = open_database(database)
        self._pictures = pictures
        self._store: PictureStore | None = None

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
        if self._store is None:
            if self._pictures is None:
                raise ArchiveError("this archive was opened without pictures: name --pictures")
            self._store = PictureStore(self._pictures)
        return self._store.get(bytes.fromhex(digest))

    def thumbnail(self, digest: str, side: int = 160) -> bytes:
        """A picture or mask as JPEG of at most `side` pixels a side."""
        image = cv2.imdecode(np.frombuffer(self.object(digest), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ArchiveError(f"the object {digest} is no picture")
        scale = side / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small)[1].tobytes()

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

    def add_kind(self, name: str, who: str, origin: str | None = None) -> None:
        """A new kind of defect."""
        with writing(self._engine) as connection:
            labels.add_kind(connection, name, who, origin or here())

    def record(self, change: Change) -> None:
        """Add an entry to the audit trail: a change that was made elsewhere."""
        with writing(self._engine) as connection:
            audit.add_entry(connection, change)

    @contextmanager
    def recorded(self, change: Change) -> Iterator[None]:
        """Record a change before it is made in the block, and an error that ends it.

        Where the entry cannot be written, the block is not run.
        """
        self.record(change)
        try:
            yield
        except Exception as error:
            self.record(replace(change, action=f"{change.action} failed", reason=str(error)))
            raise

    def audit_trail(self) -> tuple[list[dict[str, Any]], list[str], str]:
        """The audit trail, oldest first; what is wrong with it; number and digest of its head."""
        with reading(self._engine, of_one_moment=True) as connection:
            return (
                audit.entries(connection),
                audit.faults_of(connection),
                audit.head_of(connection),
            )

    def close(self) -> None:
        self._engine.dispose()


def here() -> str:
    """This machine and its user, where a change comes from."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # no entry in passwd
        return socket.gethostname()
