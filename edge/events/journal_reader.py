"""The reader of a station's log, for replay, `draem log` and tests, also while it is written."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from edge.base.closeable import Closeable
from edge.events.database import JournalError, check_schema, journal_errors
from edge.events.journal import DATABASE_NAME, Message

CANNOT_READ = "the log cannot be read"


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
        with journal_errors(f"the log {path} cannot be read"), ExitStack() as opened:
            database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            self._database = opened.enter_context(closing(database))
            check_schema(database, path)
            self.stream_id = str(self._first("value FROM about WHERE name = 'stream_id'") or "")
            self._opened = opened.pop_all()

    def head(self) -> int:
        """The newest event's number, 0 if there is none."""
        return int(self._first("max(seq) FROM events") or 0)

    def first(self) -> int:
        """The oldest event's number, 1 if there is none."""
        return int(self._first("min(seq) FROM events") or 1)

    def page(self, after: int, limit: int, max_bytes: float = math.inf) -> list[Message]:
        """Up to `limit` messages after event `after`, oldest first.

        It ends with the first that makes it `max_bytes` long or longer.
        """
        found, size = [], 0
        for message in self._messages("WHERE seq > ? ORDER BY seq LIMIT ?", after, limit):
            found.append(message)
            size += sum(map(len, message))
            if size >= max_bytes:
                break
        return found

    def all(self, verdict: str | None = None) -> Iterator[Message]:
        """All messages, or those of one verdict, oldest first; read from the log one by one."""
        where, values = ("", ()) if verdict is None else ("WHERE verdict = ?", (verdict,))
        return self._messages(f"{where} ORDER BY seq", *values)

    def newest(self, limit: int, verdict: str | None = None) -> list[Message]:
        """The last `limit` messages, or those of one verdict, oldest first."""
        where, values = ("", ()) if verdict is None else ("WHERE verdict = ?", (verdict,))
        return [*self._messages(f"{where} ORDER BY seq DESC LIMIT ?", *values, limit)][::-1]

    def inspection(self, inspection_id: int) -> Message | None:
        """The newest inspection of that id, None if there is none."""
        which = "WHERE inspection_id = ? ORDER BY seq DESC LIMIT 1"
        return next(self._messages(which, inspection_id), None)

    def _messages(self, which: str, *values: object) -> Iterator[Message]:
        query = f"SELECT kind, header, mask FROM events {which}"
        with journal_errors(CANNOT_READ), closing(self._database.execute(query, values)) as rows:
            for kind, header, mask in rows:
                yield [kind.encode(), header, mask]

    def _first(self, query: str) -> Any:
        with journal_errors(CANNOT_READ):
            row = self._database.execute(f"SELECT {query}").fetchone()
        return row and row[0]

    def close(self) -> None:
        self._opened.close()
