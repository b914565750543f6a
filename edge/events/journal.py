"""The durable log of a station's events: commit first, publish second.

`events.db` in the station's data folder is an SQLite database in WAL mode. Its stream id stays for
as long as the file does, `seq` grows by one with each event, and a restart goes on where the last
process ended, however that was. One process writes at a time. Beside it lies a `reserve`, room on
the disk that is given up when there is none left, so that a full disk can still be told.
"""

import fcntl
import logging
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import IO, Literal

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.events.clock import boot_id
from edge.events.event import UINT32, AnyHeader, Inspection

log = logging.getLogger(__name__)

Durability = Literal["full", "process"]

DATABASE_NAME = "events.db"
RESERVE = "reserve"
RESERVE_BYTES = 16 << 20
CHUNK = 50  # events that one deletion takes away
BUSY_S = 0.05  # nobody else writes here: whoever holds a lock must not hold up the loop
LEAP = 1_000_000  # numbers left out after a loss of power may have taken back some
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
CREATE INDEX IF NOT EXISTS inspections ON events (seq) WHERE inspection_id IS NOT NULL;
"""


Message = list[bytes]
"""Topic, header, mask: an event as it was published."""


class JournalError(DraemError):
    """The log of events cannot be opened, read or written."""


class Journal(Closeable):
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
        self._closed = False
        path = ":memory:" if folder is None else str(folder / DATABASE_NAME)
        try:
            self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(TABLES)
            self.stream_id = self._about("stream_id", uuid.uuid4().hex)
            schema = self._about("schema", str(SCHEMA))
            uncertain = self._may_have_lost_events()
            self._set(boot_id=boot_id(), durability=durability, closed="no")
            self._database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
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
        leap = LEAP if uncertain else 0
        self.head = (self._last("seq") or 0) + leap
        kept = (int(self._about(name, "0")) for name in ("inspection_id", "trigger_id"))
        kept_inspection, kept_trigger = kept
        last = self._last("inspection_id", "inspection_id IS NOT NULL") or kept_inspection
        self.inspection_id = (last + leap) % UINT32
        self.trigger_id = self._last("trigger_id", "trigger_id IS NOT NULL") or kept_trigger or None
        self.keep_reserve()

    def append(self, headers: Sequence[AnyHeader], messages: Sequence[Message]) -> None:
        """Commit the next events, all or none, each with its message. Raises JournalError."""
        numbers = [header.seq for header in headers]
        if numbers != list(range(self.head + 1, self.head + 1 + len(headers))):
            raise JournalError(f"events {numbers} after {self.head}: report this")
        try:
            with self._transaction():
                rows = map(_row, headers, messages)
                self._database.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?)", rows)
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
        if self._reserve is None:
            return True
        try:
            if self._reserve.exists() and self._reserve.stat().st_size >= self._reserve_bytes:
                return True
            if shutil.disk_usage(self._reserve.parent).free < 2 * self._reserve_bytes:
                return False
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._reserve_bytes)
        except OSError as error:
            log.warning("no room can be set aside in %s (%s)", self._reserve, error)
            return False
        return True

    def free_reserve(self) -> bool:
        """Give up the room that was set aside; False where that was done before."""
        try:
            if self._reserve is None or not self._reserve.exists():
                return False
            self._reserve.unlink()
        except OSError as error:
            log.warning("%s cannot be freed (%s)", self._reserve, error)
            return False
        return True

    def size(self) -> int:
        """Bytes in use; what trimming has freed is used again before the file grows.

        Raises JournalError.
        """
        try:
            pages, free, size = (
                int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        except sqlite3.Error as error:
            raise JournalError(f"the log cannot be read ({error})") from error
        return (pages - free) * size

    def oldest(self) -> tuple[int, str] | None:
        """Number and time of the oldest event that is kept; None for an empty log.

        Raises JournalError.
        """
        query = "SELECT seq, published_at FROM events ORDER BY seq LIMIT 1"
        try:
            row: tuple[int, str] | None = self._database.execute(query).fetchone()
        except sqlite3.Error as error:
            raise JournalError(f"the log cannot be read ({error})") from error
        return row

    def trim(self, up_to: int, older_than: str | None) -> bool:
        """Delete some of the oldest events up to `up_to`, never the last; False where none is left.

        It stops at the first that is not older than `older_than`, so that the log never has a hole
        where clocks went back. The counters outlive their events. Raises JournalError.
        """
        query = "SELECT seq, published_at FROM events WHERE seq <= ? ORDER BY seq LIMIT ?"
        try:
            rows = self._database.execute(query, (min(up_to, self.head - 1), CHUNK)).fetchall()
            due = list(takewhile(lambda row: older_than is None or row[1] < older_than, rows))
            if not due:
                return False
            with self._transaction():
                self._set(inspection_id=self.inspection_id, trigger_id=self.trigger_id or 0)
                self._database.execute("DELETE FROM events WHERE seq <= ?", (due[-1][0],))
        except sqlite3.Error as error:
            raise JournalError(f"old events cannot be trimmed ({error})") from error
        return True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and one commit for it."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _may_have_lost_events(self) -> bool:
        """After a loss of power without durability `full`: the last events may be gone, and their
        numbers must not be given to others."""
        same_boot = self._about("boot_id", boot_id()) == boot_id()
        kept = self._about("durability", "full") == "full" or self._about("closed", "yes") == "yes"
        return not (same_boot or kept)

    def close(self) -> None:
        if hasattr(self, "_database") and not self._closed:
            self._closed = True
            try:
                self._database.execute("PRAGMA synchronous = FULL")
                self._set(closed="yes")
            except sqlite3.Error as error:
                log.warning("the log was not closed cleanly (%s)", error)
            self._database.close()
        if self._lock is not None:
            self._lock.close()

    def _about(self, name: str, fresh: str) -> str:
        """A fact about the log; `fresh` where it is new."""
        self._database.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, fresh))
        row = self._database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def _set(self, **facts: object) -> None:
        rows = [(name, str(value)) for name, value in facts.items()]
        self._database.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)

    def _last(self, column: str, where: str = "TRUE") -> int | None:
        """A column of the newest event for which `where` holds."""
        query = f"SELECT {column} FROM events WHERE {where} ORDER BY seq DESC LIMIT 1"
        row = self._database.execute(query).fetchone()
        return None if row is None else int(row[0])


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
