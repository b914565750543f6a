"""The reader of a station's log, for replay, `draem log` and tests, also while it is written."""

import sqlite3
from pathlib import Path

from edge.base.closeable import Closeable
from edge.base.os_errors import how_to_fix
from edge.events.journal import DATABASE_NAME, JournalError, Message


class JournalReader(Closeable):
    """Reads a log without ever making its writer wait; for one thread.

    Raises JournalError if there is no log.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / DATABASE_NAME
        if not path.is_file():
            logs = sorted(log.parent.name for log in folder.parent.glob(f"*/{DATABASE_NAME}"))
            there = f" (one of {', '.join(logs[:10])})" if logs else ""
            raise JournalError(
                f"there is no log in {folder}: name the station with --station{there}, and the "
                "folder of all stations with --data"
            )
        try:
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            query = "SELECT value FROM about WHERE name = 'stream_id'"
            self.stream_id = str(self._database.execute(query).fetchone()[0])
        except (sqlite3.Error, TypeError) as error:
            fix = how_to_fix(error) or "name the log of a station"
            raise JournalError(f"the log {path} cannot be read ({error}): {fix}") from error

    def head(self) -> int:
        """The newest event's number, 0 if there is none."""
        return int(self._database.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)

    def first(self) -> int:
        """The oldest event's number, 1 if there is none."""
        return int(self._database.execute("SELECT min(seq) FROM events").fetchone()[0] or 1)

    def page(self, after: int, limit: int) -> list[Message]:
        """Up to `limit` messages after event `after`, oldest first."""
        return self._messages("WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)

    def newest(self, limit: int, verdict: str | None = None) -> list[Message]:
        """The last `limit` messages, or those of one verdict, oldest first."""
        where, values = ("", ()) if verdict is None else ("WHERE verdict = ?", (verdict,))
        return self._messages(f"{where} ORDER BY seq DESC LIMIT ?", *values, limit)[::-1]

    def inspection(self, inspection_id: int) -> Message | None:
        """The newest inspection of that id, None if there is none."""
        found = self._messages("WHERE inspection_id = ? ORDER BY seq DESC LIMIT 1", inspection_id)
        return found[0] if found else None

    def _messages(self, which: str, *values: object) -> list[Message]:
        rows = self._database.execute(f"SELECT kind, header, mask FROM events {which}", values)
        return [[kind.encode(), header, mask] for kind, header, mask in rows]

    def close(self) -> None:
        self._database.close()
