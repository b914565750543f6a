"""SQLite databases of a station: which file is ours, and its errors in plain words."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.base.errors import DraemError
from edge.base.os_errors import how_to_fix

SCHEMA = "1"
COLUMNS = "seq, kind, verdict, inspection_id, trigger_id, published_at, header, mask"
BEGIN_ANEW = "move it to another folder to begin anew"


class JournalError(DraemError):
    """The log of events cannot be opened, read or written."""


@contextmanager
def journal_errors(problem: str, fix: str = BEGIN_ANEW) -> Iterator[None]:
    """Raise an SQLite error as a JournalError: the problem, and how to fix it.

    `fix` is for files that are damaged, or no databases.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(f"{problem} ({error}): {how_to_fix(error) or fix}") from error


def refuse_foreign_log(path: Path) -> None:
    """Raise JournalError where a file is no log of this schema, unless it is missing or empty.

    It changes nothing: the file may belong to another program, or to a newer version of this one.
    """
    if path.is_dir():
        raise JournalError(f"the log {path} is a folder: {BEGIN_ANEW}")
    if not path.exists() or path.stat().st_size == 0:
        return
    # What a crash left in a rollback journal can be read only after it was written back.
    mode = "rw" if path.with_name(f"{path.name}-journal").exists() else "ro"
    with (
        journal_errors(f"the log {path} cannot be used"),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)) as database,
    ):
        check_schema(database, path)


def check_schema(database: sqlite3.Connection, path: Path) -> None:
    """Raise JournalError unless a database is empty, or a log of this schema."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return
    if not {"about", "events"} <= tables:
        raise JournalError(f"{path} is a database of another program: {BEGIN_ANEW}")
    about: dict[str, str] = dict(database.execute("SELECT name, value FROM about"))
    unused = not about and database.execute("SELECT 1 FROM events").fetchone() is None
    if not unused and about.get("schema") != SCHEMA:
        raise JournalError(
            f"the log {path} has schema {about.get('schema')}, this program reads and writes "
            f"{SCHEMA}: update the program, or move the log to another folder"
        )
    database.execute(f"SELECT {COLUMNS} FROM events LIMIT 0")
