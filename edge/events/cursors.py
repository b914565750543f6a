"""How far each subscriber has come: cursors that were acknowledged to the log.

A subscriber keeps its own cursor; the one it acknowledges here is for the log to know what may be
trimmed. Only those of the role `bridge` hold anything back.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.base.closeable import Closeable
from edge.events.journal import JournalError

NAME = "cursors.db"
BUSY_S = 2.0
TABLE = """
CREATE TABLE IF NOT EXISTS cursors (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, stream_id TEXT NOT NULL, seq INTEGER NOT NULL,
    seen_at TEXT NOT NULL
) WITHOUT ROWID
"""

Role = Literal["watch", "bridge", "operator"]


@dataclass(frozen=True)
class Acknowledged:
    """Up to where `name` has dealt with the events of a stream, and when it last said so (UTC)."""

    name: str
    role: Role
    stream_id: str
    seq: int
    seen_at: str


class Cursors(Closeable):
    """The acknowledged cursors of one station; for one thread, while others have their own.

    Raises JournalError where they cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float = BUSY_S) -> None:
        path = folder / NAME
        try:
            self._database = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(TABLE)
        except sqlite3.Error as error:
            raise JournalError(
                f"the cursors {path} cannot be used ({error}): remove the file, they come again"
            ) from error

    def acknowledge(self, name: str, role: Role, stream_id: str, seq: int) -> None:
        """Keep how far `name` has come."""
        seen_at = datetime.now(UTC).isoformat(timespec="seconds")
        row = (name, role, stream_id, seq, seen_at)
        self._do("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)", *row)

    def all(self) -> list[Acknowledged]:
        """Every cursor, by name."""
        rows = self._do("SELECT name, role, stream_id, seq, seen_at FROM cursors ORDER BY name")
        return [Acknowledged(*row) for row in rows]

    def drop(self, name: str) -> bool:
        """Forget a cursor; False where there is none of that name."""
        return self._do("DELETE FROM cursors WHERE name = ?", name).rowcount > 0

    def _do(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalError(f"the cursors cannot be used ({error})") from error

    def close(self) -> None:
        self._database.close()
