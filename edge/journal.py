"""The durable log of a station's events: commit first, publish second.

`events.db` in the station's data folder is an SQLite database in WAL mode. Its stream id stays for
as long as the file does, `seq` grows by one with each event, and a restart goes on where the last
process ended, however that was. One process writes at a time. Beside it lies a `reserve`, room on
the disk that is given up when there is none left, so that a full disk can still be told.
"""

import fcntl
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

from edge.closing import Closing
from edge.errors import DraemError
from edge.event import AnyHeader, Inspection

Durability = Literal["full", "process"]

NAME = "events.db"
RESERVE = "reserve"
RESERVE_BYTES = 16 << 20
CHUNK = 50  # events that one deletion takes away
SCHEMA = 1
TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    verdict TEXT,
    inspection_id INTEGER,
    trigger_id INTEGER,
    published_at TEXT NOT NULL,
    header BLOB NOT NULL,
    mask BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_inspection ON events (inspection_id) WHERE inspection_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_trigger ON events (seq) WHERE trigger_id IS NOT NULL;
"""


Message = list[bytes]
"""Topic, header, mask: an event as it was published."""


class JournalError(DraemError):
    """The log of events cannot be opened, read or written."""


class Journal(Closing):
    """The writer's side of the log; a context manager for one thread.

    `folder` is the station's data folder, or None for a log in memory (tests, timings). Durability
    `process` survives a crash of the program at any moment, `full` a loss of power too.
    Raises JournalError where the folder cannot be used or another process writes there.
    """

    def __init__(
        self,
        folder: Path | None,
        durability: Durability = "process",
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._lock = None if folder is None else hold(folder)
        self._reserve = None if folder is None else folder / RESERVE
        self._reserve_bytes = reserve_bytes
        path = ":memory:" if folder is None else str(folder / NAME)
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
            self._database.executescript(TABLES)
            self.stream_id = self._about("stream_id", uuid.uuid4().hex)
            schema = self._about("schema", str(SCHEMA))
        except sqlite3.Error as error:
            self.close()
            raise JournalError(
                f"the log {path} cannot be used ({error}): move it away, and a new one is begun"
            ) from error
        if schema != str(SCHEMA):
            self.close()
            raise JournalError(
                f"the log {path} has schema {schema}, this program writes {SCHEMA}: "
                "update the program, or move the log away"
            )
        self.head = self._last("seq") or 0
        self.inspection_id = self._last("inspection_id", "inspection_id IS NOT NULL") or 0
        self.trigger_id = self._last("trigger_id", "trigger_id IS NOT NULL")
        self.keep_reserve()

    def append(self, headers: Sequence[AnyHeader], messages: Sequence[Message]) -> None:
        """Commit the next events, all or none, each with its message. Raises JournalError."""
        numbers = [header.seq for header in headers]
        if numbers != list(range(self.head + 1, self.head + 1 + len(headers))):
            raise JournalError(f"events {numbers} after {self.head}: report this")
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                rows = map(_row, headers, messages)
                self._database.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?)", rows)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise JournalError(
                f"event {numbers[0]} cannot be logged ({error}): free space on the disk"
            ) from error
        self.head = numbers[-1]
        for header in headers:
            if isinstance(header, Inspection):
                self.inspection_id = header.inspection_id
                if header.trigger_id is not None:
                    self.trigger_id = header.trigger_id

    def keep_reserve(self) -> bool:
        """Set room aside for the day when the disk is full; False where there is not enough."""
        if self._reserve is None or self._reserve.exists():
            return True
        if shutil.disk_usage(self._reserve.parent).free < 2 * self._reserve_bytes:
            return False
        with self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self._reserve_bytes)
        return True

    def free_reserve(self) -> bool:
        """Give up the room that was set aside; False where that was done before."""
        if self._reserve is None or not self._reserve.exists():
            return False
        self._reserve.unlink()
        return True

    def size(self) -> int:
        """Bytes in use; what trimming has freed is used again before the file grows."""
        pages, free, size = (
            int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def oldest(self) -> tuple[int, str] | None:
        """Number and time of the oldest event that is kept; None for an empty log."""
        query = "SELECT seq, published_at FROM events ORDER BY seq LIMIT 1"
        row: tuple[int, str] | None = self._database.execute(query).fetchone()
        return row

    def trim(self, up_to: int, older_than: str, budget_s: float) -> None:
        """Delete events up to `up_to` published before `older_than`, oldest first, never the last.

        It takes no longer than `budget_s`; what is left goes the next time. Raises JournalError.
        """
        end = time.monotonic() + budget_s
        query = (
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq <= ? "
            f"AND published_at < ? ORDER BY seq LIMIT {CHUNK})"
        )
        values = (min(up_to, self.head - 1), older_than)
        try:
            while self._database.execute(query, values).rowcount and time.monotonic() < end:
                pass
        except sqlite3.Error as error:
            raise JournalError(f"old events cannot be trimmed ({error})") from error

    def close(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()
        if self._lock is not None:
            self._lock.close()

    def _about(self, name: str, fresh: str) -> str:
        """A fact about the log; `fresh` where it is new."""
        self._database.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, fresh))
        row = self._database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def _last(self, column: str, where: str = "TRUE") -> int | None:
        """A column of the newest event for which `where` holds."""
        query = f"SELECT {column} FROM events WHERE {where} ORDER BY seq DESC LIMIT 1"
        row = self._database.execute(query).fetchone()
        return None if row is None else int(row[0])


class Reader(Closing):
    """Looks into a log while it is written, without ever holding up its writer; for one thread.

    Raises JournalError where there is no log.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
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


def _row(header: AnyHeader, message: Message) -> tuple[object, ...]:
    """An event as the table has it."""
    inspection = header if isinstance(header, Inspection) else None
    return (
        header.seq,
        header.kind,
        inspection and inspection.verdict,
        inspection and inspection.inspection_id,
        inspection and inspection.trigger_id,
        header.published_at,
        message[1],
        message[2],
    )


def _message(row: tuple[str, bytes, bytes]) -> Message:
    return [row[0].encode(), row[1], row[2]]


def hold(folder: Path) -> IO[str]:
    """Make `folder` this process's own for as long as the file stays open. Raises JournalError."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise JournalError(
            f"another process writes the log in {folder}: stop it, or choose another --station"
        ) from None
    return lock


SYNCHRONOUS: dict[Durability, str] = {"full": "FULL", "process": "NORMAL"}
