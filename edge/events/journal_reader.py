"""The reading side of a station's log: for replay, `draem log` and tests, while it is written."""

import sqlite3
from pathlib import Path

from edge.base.closeable import Closeable
from edge.events.journal import DATABASE_NAME, JournalError, Message


class JournalReader(Closeable):
    """Looks into a log while it is written, without ever holding up its writer; for one thread.

    Raises JournalError where there is no log.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / DATABASE_NAME
        if not path.is_file():
            raise JournalError(f"there is no log in {folder}: name the station with --station")
        try:
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            query = "SELECT value FROM about WHERE name = 'stream_id'"
            self.stream_id = str(self._database.execute(query).fetchone()[0])
        except (sqlite3.Error, TypeError) as error:
            raise JournalError(f"the log {path} cannot be read ({error})") from error

    def head(self) -> int:
        """The newest event's number, 0 where there is none."""
        return int(self._database.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)

    def first(self) -> int:
        """The oldest event's number, 1 where there is none."""
        return int(self._database.execute("SELECT min(seq) FROM events").fetchone()[0] or 1)

    def page(self, after: int, limit: int) -> list[Message]:
        """Up to `limit` messages after event `after`, oldest first."""
        query = "SELECT kind, header, mask FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        return [_message(row) for row in self._database.execute(query, (after, limit))]

    def newest(self, limit: int, verdict: str | None = None) -> list[Message]:
        """The last `limit` messages, those of one verdict where one is named, oldest first."""
        where, values = ("", ()) if verdict is None else ("WHERE verdict = ?", (verdict,))
        query = f"SELECT kind, header, mask FROM events {where} ORDER BY seq DESC LIMIT ?"
        return [_message(row) for row in self._database.execute(query, (*values, limit))][::-1]

    def inspection(self, inspection_id: int) -> Message | None:
        """The newest inspection of that id, None where there is none."""
        query = "SELECT kind, header, mask FROM events WHERE inspection_id = ? ORDER BY seq DESC"
        row = self._database.execute(query, (inspection_id,)).fetchone()
        return row and _message(row)

    def close(self) -> None:
        self._database.close()


def _message(row: tuple[str, bytes, bytes]) -> Message:
    return [row[0].encode(), row[1], row[2]]
