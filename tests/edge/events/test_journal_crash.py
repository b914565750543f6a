"""A log is killed at each step of its start, and other programs' databases are left alone."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.events.codes import Code
from edge.events.cursors import CURSORS_NAME, Cursors
from edge.events.journal import DATABASE_NAME, Journal, JournalError
from edge.events.journal_reader import JournalReader
from edge.station.event_writer import EventWriter
from tests.support.commands import draem_in_process
from tests.support.event_log import logged
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents

MEMORY = Path("/dev/shm")  # kill -9 leaves the same files there, and nothing waits for a disk


def test_no_number_is_used_twice_when_a_start_is_killed_after_a_loss_of_power() -> None:
    """Wherever it is killed, on the same start of the machine or after another loss of power."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        command = [sys.executable, "-m", "tests.support.crashing_start", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert all(int(points) > 10 for points in done.stdout.split())


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE songs (name)")
        database.execute("INSERT INTO songs VALUES ('x')")


def other_program_that_was_killed(path: Path) -> None:
    """Its last commits are in the write-ahead log."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    with database:
        database.execute("CREATE TABLE songs (name)")
    copies = [Path(shutil.copy(path, f"{path}.copy")), Path(f"{path}-wal")]
    kept = [copy.read_bytes() for copy in copies]
    database.close()
    copies[0].replace(path)
    path.with_name(f"{path.name}-wal").write_bytes(kept[1])


def newer_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT)")
        database.execute("INSERT INTO about VALUES ('schema', '2'), ('stream_id', 'x')")
        database.execute("CREATE TABLE events (number INTEGER PRIMARY KEY)")


def same_schema_other_columns(path: Path) -> None:
    newer_schema(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE about SET value = '1' WHERE name = 'schema'")


def no_database(path: Path) -> None:
    path.write_bytes(b"SQLite format 3" + bytes(range(256)) * 40)


def damaged(path: Path) -> None:
    with Journal(path.parent, reserve_bytes=4096) as journal:
        for trigger_id in range(50):
            inspect(EventWriter("s", PRODUCT, journal, RecordedEvents()), trigger_id)
    data = bytearray(path.read_bytes())
    data[100:200] = b"\xff" * 100  # the table of tables
    path.write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the lock and SQLite's index of its write-ahead log."""
    return {
        file.name: data
        for file in folder.iterdir()
        if file.name != ".lock" and not file.name.endswith("-shm") and (data := file.read_bytes())
    }


FOREIGN = [
    other_program, other_program_that_was_killed, newer_schema, same_schema_other_columns,
    no_database, damaged,
]  # fmt: skip


@pytest.mark.parametrize("make", FOREIGN)
def test_a_foreign_log_is_refused_before_anything_is_written(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "station-1"
    folder.mkdir(parents=True)
    make(folder / DATABASE_NAME)
    before = contents(folder)
    with pytest.raises(JournalError, match=r"update the program|to another folder"):
        Journal(folder)
    assert contents(folder) == before
    with pytest.raises(JournalError):
        JournalReader(folder)
    done = draem_in_process("log", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert contents(folder) == before


def test_a_foreign_file_of_cursors_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / CURSORS_NAME
    other_program(path)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another program"):
        Cursors(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [0, None])
def test_an_empty_file_becomes_a_log(size: int | None, tmp_path: Path) -> None:
    """A start that was killed may leave an empty file, or a database without tables."""
    path = tmp_path / DATABASE_NAME
    path.touch()
    if size is None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = WAL")
    with Journal(tmp_path) as journal:
        EventWriter("s", PRODUCT, journal, RecordedEvents()).fault(Code.CAMERA, "cut")
    assert [header.seq for header in logged(tmp_path)] == [1]


def test_a_page_that_is_damaged_is_reported_and_no_disk_is_blamed(tmp_path: Path) -> None:
    sink = RecordedEvents()
    with Journal(tmp_path, reserve_bytes=4096) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        for trigger_id in range(1, 200):
            inspect(writer, trigger_id)
    path = tmp_path / DATABASE_NAME
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"malformed.*move it to another folder"):
        Journal(tmp_path)


def test_a_log_that_was_removed_gives_no_verdict_instead_of_events_that_nobody_finds(
    tmp_path: Path,
) -> None:
    with Journal(tmp_path, reserve_bytes=4096) as journal:
        writer = EventWriter("s", PRODUCT, journal, RecordedEvents())
        assert inspect(writer, 1).verdict == "OK"
        os.rename(tmp_path / DATABASE_NAME, tmp_path / "moved")
        assert inspect(writer, 2).verdict == "NO_VERDICT"
        assert "was removed" in writer._log_error
        os.rename(tmp_path / "moved", tmp_path / DATABASE_NAME)
        writer._unlogged.catch_up(writer._commit)
        assert inspect(writer, 3).verdict == "OK"
