"""Which events the log keeps: by age and size, and all that a bridge has yet to acknowledge.

A bridge that no longer runs must not fill the disk: its cursor is dropped if it was not seen for
long, or keeps the log above its size limit.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.events.cursors import Acknowledged, Cursors
from edge.events.journal import Journal

BUDGET_S = 0.003  # of the loop's time, ten times a second
CHECK_S = 5.0


@dataclass(frozen=True)
class RetentionLimits:
    """Events are kept for `days` within `mb` megabytes, those of a silent bridge `cursor_days`.

    In the first `grace_s` after a start nothing is too old: clocks may be wrong, and bridges not
    connected yet.
    """

    days: float = 30
    mb: float = 2000
    cursor_days: float = 7
    grace_s: float = 600


class Retention:
    """Trims a log, a few events at a time; belongs to the thread of the journal."""

    def __init__(self, journal: Journal, cursors: Cursors, limits: RetentionLimits) -> None:
        self._journal, self._cursors, self._limits = journal, cursors, limits
        self._started = time.monotonic()
        self._seen: dict[str, tuple[str, float]] = {}  # name: (seen_at, when that was read)
        self._next_check = 0.0

    def cursors_to_drop(self) -> list[tuple[str, str]]:
        """Names of bridges whose cursors are to be reported, then dropped, and why.

        Checks every few seconds, and always if the log is too large. Raises JournalError.
        """
        now, too_large = time.monotonic(), self._too_large()
        if not too_large and now < self._next_check:
            return []
        self._next_check = now + CHECK_S
        oldest = self._journal.oldest() if too_large else 0
        reasons = [(cursor.name, self._reason(cursor, now, oldest)) for cursor in self._bridges()]
        return [(name, reason) for name, reason in reasons if reason]

    def _reason(self, cursor: Acknowledged, now: float, oldest: int) -> str:
        if cursor.seq < oldest:
            return f"it kept the log above {self._limits.mb:g} MB"
        seen_at, since = self._seen.get(cursor.name, ("", self._started))
        if seen_at != cursor.seen_at:
            since = now if seen_at else self._started
            self._seen[cursor.name] = (cursor.seen_at, since)
        silent = now - since >= self._limits.grace_s  # whatever the wall clock says
        if silent and cursor.seen_at < _days_ago(self._limits.cursor_days):
            return f"not seen since {cursor.seen_at}"
        return ""

    def drop(self, name: str) -> None:
        """Delete a bridge's cursor."""
        self._cursors.drop(name)

    def trim(self) -> None:
        """Delete what no limit and no bridge keeps, for `BUDGET_S` at most. Raises JournalError."""
        now = time.monotonic()
        old = now - self._started >= self._limits.grace_s
        while (too_large := self._too_large()) or old:
            older_than = None if too_large else _days_ago(self._limits.days)
            up_to = min((c.seq for c in self._bridges()), default=self._journal.head)
            if not self._journal.trim(up_to, older_than) or time.monotonic() > now + BUDGET_S:
                return

    def _too_large(self) -> bool:
        return self._journal.size() > self._limits.mb * 1e6

    def _bridges(self) -> list[Acknowledged]:
        """The cursors of bridges in this stream; those of another stream keep nothing here."""
        stream = self._journal.stream_id
        return [c for c in self._cursors.all() if c.role == "bridge" and c.stream_id == stream]


def _days_ago(days: float) -> str:
    """A time as events have it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
