"""Acknowledged cursors: up to which event each subscriber has processed the log.

A subscriber has a cursor of its own as well; by the one that it acknowledges here, the log knows
what it may delete. Only cursors of the role `bridge` keep events in the log.
"""

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.base.closeable import Closeable
from edge.events.database import JournalError, journal_errors

CURSORS_NAME = "cursors.db"
BUSY_S = 2.0
COLUMNS = "name, role, stream_id, seq, seen_at"
TABLE = """
CREATE TABLE IF NOT EXISTS cursors (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, stream_id TEXT NOT NULL, seq INTEGER NOT NULL,
    seen_at TEXT NOT NULL
) WITHOUT ROWID
"""

Role = Literal["watch", "bridge", "operator"]


@dataclass(frozen=True)
class Acknowledged:
    """Up to which event `name` has processed a stream, and when it last reported so (UTC)."""

    name: str
    role: Role
    stream_id: str
    seq: int
    seen_at: str


class Cursors(Closeable):
    """The acknowledged cursors of one station; for one thread, other threads open their own.

    Raises JournalError if they cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float = BUSY_S) -> None:
        self._path = folder / CURSORS_NAME
        with self._errors():
            self._database = sqlite3.connect(self._path, timeout=busy_s, isolation_level=None)
            tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
            if tables and "cursors" not in tables:
                self.close()
                raise JournalError(f"{self._path} is a database of another program: move it away")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(TABLE)
            self._database.execute(f"SELECT {COLUMNS} FROM cursors LIMIT 0")

    def acknowledge(self, name: str, role: Role, stream_id: str, seq: int) -> None:
        """Store up to which event `name` has processed the stream."""
        seen_at = datetime.now(UTC).isoformat(timespec="seconds")
        row = (name, role, stream_id, seq, seen_at)
        self._execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)", *row)

    def all(self) -> list[Acknowledged]:
        """Every cursor, by name."""
        query = f"SELECT {COLUMNS} FROM cursors ORDER BY name"
        return [Acknowledged(*row) for row in self._execute(query)]

    def drop(self, name: str) -> bool:
        """Delete a cursor; False if there is none of that name."""
        return self._execute("DELETE FROM cursors WHERE name = ?", name).rowcount > 0

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        with self._errors():
            return self._database.execute(statement, values)

    def _errors(self) -> AbstractContextManager[None]:
        fix = "delete the file, subscribers acknowledge again"
        return journal_errors(f"the cursors {self._path} cannot be used", fix)

    def close(self) -> None:
        self._database.close()
