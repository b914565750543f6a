"""What the archive has of a station: counts of the shift, how far it is, and the rejects' keys."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.archive.archive import Archive
from edge.archive.errors import ArchiveError
from edge.archive.query import Query
from edge.archive.search import Found
from edge.archive.statistics import Counts, Shifts
from edge.web.live.station_feed import REJECTS, Key, StationFeed
from edge.web.live.watch import Watch

ASK_S = 2.0


@dataclass(frozen=True)
class Archived:
    """An answer of the archive. `head` is its last event of the station's log, None without any.

    `at` is when it was given (monotonic), `moved_at` when the head last moved or had caught up.
    """

    shift: str = ""
    begin: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    counts: Counts | None = None
    stream_id: str = ""
    head: int | None = None
    at: float = 0.0
    moved_at: float = 0.0
    error: str = ""
    keys: dict[Key, str] = field(default_factory=dict)
    parts: dict[str, Found] = field(default_factory=dict)
    earlier: tuple[Found, ...] = ()


class ArchiveWatch(Watch):
    """Asks the archive each two seconds while somebody looks."""

    def __init__(self, archive: Archive, feed: StationFeed, shifts: Shifts) -> None:
        self._archive, self._feed, self._shifts = archive, feed, shifts
        self.now = Archived()
        super().__init__(f"archive of {feed.name}")

    def _work(self) -> None:
        try:
            self.now = self._asked(self.now)
        except ArchiveError as error:
            self.now = Archived(error=str(error), at=time.monotonic())
        self._closed.wait(ASK_S)

    def _asked(self, before: Archived) -> Archived:
        name, head = self._feed.name, self._feed.head
        begin, shift = self._shifts.begin(datetime.now(UTC))
        query = Query(station=name, since=begin)
        counts, archived = self._archive.counts_with_head(query, head.stream_id)
        keys, parts = self._rejects(before)
        return Archived(
            shift,
            begin,
            counts[0] if counts else None,
            head.stream_id,
            archived,
            now := time.monotonic(),
            self._moved_at(before, archived, head, now),
            "",
            keys,
            parts,
            tuple(self._earlier()) if not before.at or before.error else before.earlier,
        )

    def _moved_at(self, before: Archived, archived: int | None, head: Key, now: float) -> float:
        """An archive whose head stands while the station's goes on does not run."""
        moved = (before.stream_id, before.head) != (head.stream_id, archived)
        return now if moved or (archived or 0) >= head.seq else before.moved_at

    def _rejects(self, before: Archived) -> tuple[dict[Key, str], dict[str, Found]]:
        """The keys of the last rejects, and the parts whose picture may still be on its way."""
        keys: dict[Key, str] = {}
        parts: dict[str, Found] = {}
        for header in self._feed.rejects():
            key = Key(header.stream_id, header.seq)
            name = before.keys.get(key) or self._archive.key_of(*key)
            if name is None:
                continue
            keys[key], known = name, before.parts.get(name)
            is_final = known is not None and known.picture_state != "awaited"
            parts[name] = known if known and is_final else self._archive.part(name)
        return keys, parts

    def _earlier(self) -> list[Found]:
        """The last rejects that were archived before this program followed the station."""
        found: list[Found] = []
        for verdict in ("NG", "NO_VERDICT"):
            page = self._archive.find(Query(station=self._feed.name, verdict=verdict), REJECTS)
            found += [part for part in page.parts if part.code != "paused"]
        return sorted(found, key=lambda part: part.at, reverse=True)[:REJECTS]

    def _idle(self) -> None:
        self.now = Archived()
