"""`Archive`: what the page, commands and scripts ask an archive, and what people add to it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import select

from edge.archive import around, follow, labels, period, score_drift, search, sheets, statistics
from edge.archive.around import Incident, Names
from edge.archive.audit_trail import AuditTrail
from edge.archive.database import open_database, reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.follow import Arrived, Log
from edge.archive.labels import Given
from edge.archive.opinions import Opinions, opinions
from edge.archive.period import FaultRow, StatusRow
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.review_queue import Item, Queue, Wanted, queue, second_queue
from edge.archive.score_drift import Every, ScoreLevel
from edge.archive.search import Found, Page
from edge.archive.sheets import Sheet
from edge.archive.statistics import By, Counts, Of, Shifts
from edge.archive.streams import Stream, last_events, streams
from edge.archive.tables import region
from edge.archive.thumbnails import Thumbnails
from edge.base.closeable import Closeable
from edge.base.person import here

PAGE = 500


class Archive(Closeable):
    """An archive by the addresses of its database and its pictures. Raises ArchiveError."""

    def __init__(self, database: str, pictures: str | None = None) -> None:
        self._engine = open_database(database)
        self.audit = AuditTrail(self._engine)
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

    def sheet(
        self, query: Query, limit: int, position: str | None = None, *, newer: bool = False
    ) -> Sheet:
        """A page for people who wait: older or newer than a position, bounded in time."""
        with reading(self._engine) as connection:
            return sheets.sheet(connection, query, limit, position, newer=newer)

    def names(self) -> Names:
        """All stations, products and versions."""
        with reading(self._engine) as connection:
            return around.names(connection)

    def part(self, key: str) -> Found:
        """One inspection by its key."""
        with reading(self._engine) as connection:
            return search.find_one(connection, key)

    def key_of(self, stream_id: str, seq: int) -> str | None:
        """The key of an event's inspection by log and number; None while it is not archived."""
        with reading(self._engine) as connection:
            return search.key_of(connection, stream_id, seq)

    def regions(self, key: str) -> list[dict[str, Any]]:
        """Its defects: boxes and areas in pixels and, where measured, in millimetres."""
        this = search.is_key(region, key)
        left_out = ("stream", "seq", "at", "product")
        with reading(self._engine) as connection:
            rows = connection.execute(select(region).where(this).order_by(region.c.number))
            return [{k: v for k, v in r._mapping.items() if k not in left_out} for r in rows]

    def neighbours(self, key: str, count: int) -> list[Found]:
        """The parts before and after one in its station's log, with itself, oldest first."""
        with reading(self._engine) as connection:
            return around.neighbours(connection, key, count)

    def incidents(self, part: Found) -> list[Incident]:
        """Faults and changes of state of a part's station near its time."""
        with reading(self._engine) as connection:
            return around.incidents(connection, part)

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

    def last_events(self) -> dict[str, datetime]:
        """The time of each station's last archived event."""
        with reading(self._engine) as connection:
            return last_events(connection)

    def counts(self, query: Query, by: Sequence[By], shifts: Shifts | None = None) -> list[Counts]:
        """Verdicts, rates and first-pass yield of each group."""
        with reading(self._engine) as connection:
            return statistics.counts(connection, query, by, shifts)

    def counts_with_head(self, query: Query, stream_id: str) -> tuple[list[Counts], int | None]:
        """Counts of all that a query means, and the last archived event of a log; of one moment.

        None where nothing of that log is archived.
        """
        with reading(self._engine, of_one_moment=True) as connection:
            head = search.head_of(connection, stream_id)
            return statistics.counts(connection, query, []), head

    def pareto(self, query: Query, of: Of) -> list[tuple[str, int]]:
        """The most frequent codes, labels, kinds or places of defects."""
        with reading(self._engine) as connection:
            return statistics.pareto(connection, query, of)

    def score_distribution(self, query: Query) -> list[tuple[float, int]]:
        """Parts by score / threshold."""
        with reading(self._engine) as connection:
            return statistics.score_distribution(connection, query)

    def score_levels(
        self, query: Query, every: Every, shifts: Shifts | None = None
    ) -> list[ScoreLevel]:
        """Quartiles of score / threshold by hour, day or shift."""
        with reading(self._engine) as connection:
            return score_drift.score_levels(connection, query, every, shifts or Shifts())

    def worst(self, query: Query, limit: int) -> list[Found]:
        """The NG parts with the highest score as part of the threshold."""
        with reading(self._engine) as connection:
            return period.worst(connection, query, limit)

    def faults(self, since: datetime, until: datetime, limit: int = PAGE) -> list[FaultRow]:
        """The first faults of a period."""
        with reading(self._engine) as connection:
            return period.faults(connection, since, until, limit)

    def states(self, since: datetime, until: datetime, limit: int = PAGE) -> list[StatusRow]:
        """The first changes of state and product of a period."""
        with reading(self._engine) as connection:
            return period.states(connection, since, until, limit)

    def logs(self) -> list[Log]:
        """The stations' logs, each with its last archived event."""
        with reading(self._engine) as connection:
            return follow.logs(connection)

    def arrived(self, of: Log, after: int, last: int) -> list[Arrived]:
        """The events of a stream after one number up to another."""
        with reading(self._engine) as connection:
            return follow.arrived(connection, of, after, last)

    def product_before(self, of: Log, seq: int) -> tuple[str, str] | None:
        """Product and version of a stream's last state before an event."""
        with reading(self._engine) as connection:
            return follow.product_before(connection, of, seq)

    def label(self, key: str, given: Given, origin: str | None = None) -> None:
        """Say what an inspected part really is."""
        with writing(self._engine) as connection:
            labels.add_label(connection, key, given, origin or here())

    def withdraw_label(self, key: str, who: str, origin: str | None = None) -> None:
        """Take back the last label that somebody gave a part; the one before it counts again."""
        with writing(self._engine) as connection:
            labels.withdraw_label(connection, key, who, origin or here())

    def labels(self, key: str) -> Sequence[Given]:
        """All labels of an inspection, oldest first."""
        with reading(self._engine) as connection:
            return labels.history(connection, key)

    def review_queue(self, wanted: Wanted) -> Queue:
        """Parts that deserve eyes."""
        with reading(self._engine) as connection:
            return queue(connection, wanted)

    def second_review_queue(self, wanted: Wanted, who: str) -> list[Item]:
        """Parts that others have labelled and `who` has not, without their label."""
        with reading(self._engine) as connection:
            return second_queue(connection, wanted, who)

    def opinions(self, query: Query) -> Opinions:
        """Parts that two people or more have labelled, with each one's last label."""
        with reading(self._engine) as connection:
            return opinions(connection, query)

    def kinds(self) -> list[str]:
        """The plant's own kinds of defects."""
        with reading(self._engine) as connection:
            return labels.kinds(connection)

    def add_kind(self, name: str, who: str, origin: str | None = None, reason: str = "") -> None:
        """A new kind of defect."""
        with writing(self._engine) as connection:
            labels.add_kind(connection, name, who, origin or here(), reason)

    def close(self) -> None:
        self._engine.dispose()
