"""What the log keeps: by age and by size, and everything that a bridge has yet to acknowledge.

A bridge that is gone must not fill the disk: a cursor unseen for long, or one that holds more than
the size limit, is dropped, and its name goes into a fault event.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.cursors import Acknowledged, Cursors
from edge.journal import Journal

BUDGET_S = 0.003  # of the loop's time, ten times a second


@dataclass(frozen=True)
class Limits:
    """Events are kept for `days` within `mb` megabytes, a silent bridge's for `cursor_days`."""

    days: float = 30
    mb: float = 2000
    cursor_days: float = 7


class Retention:
    """Trims a log a little at a time; owned by the thread that owns the journal."""

    def __init__(self, journal: Journal, cursors: Cursors, limits: Limits) -> None:
        self._journal, self._cursors, self._limits = journal, cursors, limits

    def tick(self) -> list[str]:
        """Trim what is due. Returns the cursors that were dropped for it, each with the reason.

        Raises JournalError where log or cursors cannot be used.
        """
        oldest = self._journal.oldest()
        too_large = self._journal.size() > self._limits.mb * 1e6
        if oldest is None or not (too_large or oldest[1] < _ago(self._limits.days)):
            return []
        dropped = [
            f"{cursor.name} at event {cursor.seq}: {why}"
            for cursor, why in list(self._gone(too_large, oldest[0]))
            if self._cursors.drop(cursor.name)
        ]
        held = [cursor.seq for cursor in self._holding()]
        before = _ago(0) if too_large else _ago(self._limits.days)
        self._journal.trim(min(held, default=self._journal.head), before, BUDGET_S)
        return dropped

    def _holding(self) -> list[Acknowledged]:
        """Bridges of this log; one of another stream has nothing here that it could lose."""
        stream = self._journal.stream_id
        return [c for c in self._cursors.all() if c.role == "bridge" and c.stream_id == stream]

    def _gone(self, too_large: bool, oldest: int) -> Iterator[tuple[Acknowledged, str]]:
        """Cursors that may hold nothing back any longer."""
        for cursor in self._holding():
            if cursor.seen_at < _ago(self._limits.cursor_days):
                yield cursor, f"not seen since {cursor.seen_at}"
            elif too_large and cursor.seq < oldest:
                yield cursor, f"it held the log beyond {self._limits.mb:g} MB"


def _ago(days: float) -> str:
    """A moment as events write it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
