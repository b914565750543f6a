"""The durable log of a station's events: commit first, publish second.

`events.db` in the station's data folder is an SQLite database in WAL mode. Its stream id stays the
same as long as the file exists, and `seq` grows by one with each event, across restarts and crashes
of the program. One process writes at a time.
"""

import logging
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Literal

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.base.files import exclusive_lock
from edge.base.os_errors import how_to_fix
from edge.events.clock import boot_id
from edge.events.disk_reserve import DiskReserve
from edge.events.event import UINT32_MAX, AnyHeader, Inspection

log = logging.getLogger(__name__)

Durability = Literal["full", "process"]
SYNCHRONOUS: dict[Durability, str] = {"full": "FULL", "process": "NORMAL"}

Message = list[bytes]
"""Topic, header, mask: an event as it was published."""

DATABASE_NAME = "events.db"
RESERVE_BYTES = 16 << 20
TRIM_EVENTS = 50  # deleted in one transaction
BUSY_S = 0.05  # no other process writes here, and a lock of one must not stop the loop
SKIPPED_NUMBERS = 1_000_000  # after a loss of power that may have undone the last events
SCHEMA = "1"
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


class JournalError(DraemError):
    """The log of events cannot be opened, read or written."""


@contextmanager
def journal_errors(problem: str, fix: str = "") -> Iterator[None]:
    """Raise an SQLite error as a JournalError that names the problem and how to fix it."""
    try:
        yield
    except sqlite3.Error as error:
        fix = how_to_fix(error) or fix
        raise JournalError(f"{problem} ({error}){fix and ': '}{fix}") from error


class Journal(Closeable):
    """The writer of the log in `folder`, the station's data folder; a context manager.

    It belongs to one thread. Durability `process` survives a crash of the program, `full` also a
    loss of power. `head`, `inspection_id` and `trigger_id` are those of the newest events. Raises
    JournalError if the folder cannot be used or another process writes there.
    """

    def __init__(
        self,
        folder: Path,
        durability: Durability = "process",
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        path = folder / DATABASE_NAME
        in_use = f"another process writes the log in {folder}: stop it, or choose another --station"
        problem, fix = f"the log {path} cannot be used", "move it to another folder to begin anew"
        with ExitStack() as opened:
            opened.enter_context(exclusive_lock(folder / ".lock", JournalError(in_use)))
            with journal_errors(problem, fix):
                database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
                self._database = opened.enter_context(closing(database))
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(TABLES)
                self._continue(path, durability)
                self._database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
            opened.callback(self._mark_closed)
            self._opened = opened.pop_all()
        self.reserve = DiskReserve(folder, reserve_bytes)
        self.reserve.allocate()

    def _continue(self, path: Path, durability: Durability) -> None:
        """Continue the numbers of the log, or begin a new stream."""
        about: dict[str, str] = dict(self._database.execute("SELECT name, value FROM about"))
        if (schema := about.get("schema", SCHEMA)) != SCHEMA:
            raise JournalError(
                f"the log {path} has schema {schema}, this program writes {SCHEMA}: "
                "update the program, or move the log to another folder"
            )
        self.stream_id = about.get("stream_id", uuid.uuid4().hex)
        skipped = SKIPPED_NUMBERS if _may_have_lost_events(about) else 0
        self.head = (self._last("seq") or 0) + skipped
        inspection_id = self._last("inspection_id") or int(about.get("inspection_id", 0))
        self.inspection_id = (inspection_id + skipped) % UINT32_MAX
        self.trigger_id = self._last("trigger_id") or int(about.get("trigger_id", 0)) or None
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._write_about(stream_id=self.stream_id, schema=SCHEMA)
            self._write_about(boot_id=boot_id(), durability=durability, closed="no")

    def append(self, headers: Sequence[AnyHeader], messages: Sequence[Message]) -> None:
        """Commit the next events, all or none, each with its message. Raises JournalError."""
        numbers = [header.seq for header in headers]
        if numbers != list(range(self.head + 1, self.head + 1 + len(headers))):
            raise JournalError(f"events {numbers} do not follow event {self.head}: report this")
        problem, fix = f"event {numbers[0]} cannot be logged", "free space on the disk"
        with journal_errors(problem, fix), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            rows = map(_row, headers, messages)
            self._database.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?)", rows)
        self.head = numbers[-1]
        for header in headers:
            if isinstance(header, Inspection):
                self.inspection_id = header.inspection_id
                if header.trigger_id is not None:
                    self.trigger_id = header.trigger_id

    def size(self) -> int:
        """Bytes in use, without those that trimming has freed. Raises JournalError."""
        with journal_errors("the log cannot be read"):
            pages, free, size = (
                int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size

    def oldest(self) -> int:
        """Number of the oldest event that is kept, 0 if there is none. Raises JournalError."""
        with journal_errors("the log cannot be read"):
            return int(self._database.execute("SELECT min(seq) FROM events").fetchone()[0] or 0)

    def trim(self, up_to: int, older_than: str | None) -> bool:
        """Delete some of the oldest events up to `up_to`, never the last; False if none was due.

        It stops at the first that is not older than `older_than`, so that the log never has a gap
        after a clock was set back. Numbers are not used again. Raises JournalError.
        """
        query = "SELECT seq, published_at FROM events WHERE seq <= ? ORDER BY seq LIMIT ?"
        with journal_errors("old events cannot be deleted"):
            last = min(up_to, self.head - 1)
            rows = self._database.execute(query, (last, TRIM_EVENTS)).fetchall()
            due = list(takewhile(lambda row: older_than is None or row[1] < older_than, rows))
            if not due:
                return False
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._write_about(inspection_id=self.inspection_id, trigger_id=self.trigger_id or 0)
                self._database.execute("DELETE FROM events WHERE seq <= ?", (due[-1][0],))
        return True

    def _mark_closed(self) -> None:
        try:
            self._database.execute("PRAGMA synchronous = FULL")
            self._write_about(closed="yes")
        except sqlite3.Error as error:
            log.warning("the log was not closed cleanly (%s)", error)

    def close(self) -> None:
        self._opened.close()

    def _write_about(self, **values: object) -> None:
        rows = [(name, str(value)) for name, value in values.items()]
        self._database.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)

    def _last(self, column: str) -> int | None:
        """The value of a column in the newest event that has one."""
        query = f"SELECT {column} FROM events WHERE {column} IS NOT NULL ORDER BY seq DESC LIMIT 1"
        row = self._database.execute(query).fetchone()
        return None if row is None else int(row[0])


def _may_have_lost_events(about: Mapping[str, str]) -> bool:
    """Whether a loss of power may have undone the last events: others must not get their numbers.

    That takes another start of the machine, durability `process` and a log that was not closed.
    """
    restarted = about.get("boot_id", boot_id()) != boot_id()
    durable = about.get("durability", "full") == "full" or about.get("closed", "yes") == "yes"
    return restarted and not durable


def _row(header: AnyHeader, message: Message) -> tuple[object, ...]:
    """An event as a row of the table."""
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
