"""What the log keeps: by age and by size, and everything that a bridge has yet to acknowledge.

A bridge that is gone must not fill the disk: a cursor unseen for long, or one that holds more than
the size limit, is dropped, and its name goes into a fault event.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.events.cursors import Acknowledged, Cursors
from edge.events.journal import Journal

BUDGET_S = 0.003  # of the loop's time, ten times a second
LOOK_S = 5.0


@dataclass(frozen=True)
class RetentionLimits:
    """Events are kept for `days` within `mb` megabytes, a silent bridge's for `cursor_days`.

    For `grace_s` after a start nothing is too old: clocks may be wrong, bridges not there yet.
    """

    days: float = 30
    mb: float = 2000
    cursor_days: float = 7
    grace_s: float = 600


class Retention:
    """Trims a log a little at a time; owned by the thread that owns the journal."""

    def __init__(self, journal: Journal, cursors: Cursors, limits: RetentionLimits) -> None:
        self._journal, self._cursors, self._limits = journal, cursors, limits
        self._started = time.monotonic()
        self._seen: dict[str, tuple[str, float]] = {}
        self._next_look = 0.0

    def gone(self) -> list[tuple[str, str]]:
        """Bridges that may hold nothing back any longer, and why: to be told, then dropped.

        Looks once in some seconds, and whenever the log is too large. Raises JournalError.
        """
        now, too_large = time.monotonic(), self._too_large()
        if not too_large and now < self._next_look:
            return []
        self._next_look = now + LOOK_S
        oldest = (self._journal.oldest() or (0, ""))[0]
        return [
            (cursor.name, why)
            for cursor in self._holding()
            if (why := self._reason(cursor, now, oldest if too_large else None))
        ]

    def _reason(self, cursor: Acknowledged, now: float, oldest: int | None) -> str | None:
        if oldest is not None and cursor.seq < oldest:
            return f"it held the log beyond {self._limits.mb:g} MB"
        seen_at, since = self._seen.get(cursor.name, ("", self._started))
        if seen_at != cursor.seen_at:
            since = now if seen_at else self._started
            self._seen[cursor.name] = (cursor.seen_at, since)
        silent = now - since >= self._limits.grace_s  # by a clock that nobody sets
        if silent and cursor.seen_at < _ago(self._limits.cursor_days):
            return f"not seen since {cursor.seen_at}"
        return None

    def drop(self, name: str) -> None:
        """Forget a bridge's cursor."""
        self._cursors.drop(name)

    def trim(self) -> None:
        """Delete what is due and nobody holds, as far as `BUDGET_S` goes. Raises JournalError."""
        end = time.monotonic() + BUDGET_S
        old = time.monotonic() - self._started >= self._limits.grace_s
        while (too_large := self._too_large()) or old:
            before = None if too_large else _ago(self._limits.days)
            held = min((c.seq for c in self._holding()), default=self._journal.head)
            if not self._journal.trim(held, before) or time.monotonic() > end:
                return

    def _too_large(self) -> bool:
        return self._journal.size() > self._limits.mb * 1e6

    def _holding(self) -> list[Acknowledged]:
        """Bridges of this log; one of another stream has nothing here that it could lose."""
        stream = self._journal.stream_id
        return [c for c in self._cursors.all() if c.role == "bridge" and c.stream_id == stream]


def _ago(days: float) -> str:
    """A moment as events write it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
