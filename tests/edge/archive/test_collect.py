"""The collecting process over real sockets, killed and cut off."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

import pytest
from sqlalchemy import Engine

from edge.archive.collector import Collector
from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.tables import fault
from edge.archive.writer import Writer
from edge.events.cursors import Cursors
from tests.support.archived import rows
from tests.support.logging_line import Line, line
from tests.support.ports import free_ports
from tests.support.service_manager import ServiceManager
from tests.support.waiting import wait_until


@contextmanager
def archiving(folder: Path, station: Line, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`draem archive run` for one station, ended with the block if it still runs."""
    command = [sys.executable, "-m", "draem", "archive", "run", "--endpoint", station.addresses[0]]
    command += ["--replay", station.addresses[1], *words]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def archived(engine: Engine) -> list[int]:
    return [row["seq"] for row in rows(engine, fault)]


def test_every_event_once_over_kills_of_the_archive(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "archive" / "archive.db"), create=True)
    with line(tmp_path / "station") as station:
        for _ in range(4):
            before = len(archived(engine))
            with archiving(tmp_path, station) as process:
                station.wait_for_subscriber()
                station.write(300)
                wait_for_more(engine, before)
                process.send_signal(signal.SIGKILL)
                process.wait()
            wait_until(lambda: station.publisher.count_subscribers() == 0, "the end")
            station.write(50)
        with archiving(tmp_path, station):
            wait_until(lambda: len(archived(engine)) == 1400, "all events")
            wait_until(lambda: acknowledged(tmp_path / "station") == 1400, "the cursor")
    assert archived(engine) == list(range(1, 1401))
    engine.dispose()


def wait_for_more(engine: Engine, before: int) -> None:
    wait_until(lambda: len(archived(engine)) > before, "some events")


def acknowledged(folder: Path) -> int:
    """Up to where the archive has told the station that it is done."""
    with Cursors(folder) as cursors:
        return max((c.seq for c in cursors.all() if c.role == "bridge"), default=0)


def test_events_are_acknowledged_only_when_they_are_committed(tmp_path: Path) -> None:
    path = tmp_path / "archive" / "archive.db"
    engine = open_database(str(path), create=True)
    with line(tmp_path / "station") as station, archiving(tmp_path, station) as process:
        station.wait_for_subscriber()
        station.write(10)
        wait_until(lambda: acknowledged(tmp_path / "station") == 10, "the cursor")
        with engine.connect().execution_options(writing=True) as other, other.begin():
            station.write(10)  # cannot be committed now
            with pytest.raises(AssertionError):
                wait_until(lambda: acknowledged(tmp_path / "station") > 10, "", seconds=3)
        wait_until(lambda: acknowledged(tmp_path / "station") == 20, "the cursor")
        process.terminate()
        assert process.wait(30) == 0
    assert archived(engine) == list(range(1, 21))
    engine.dispose()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir(mode=0o500)
    with line(tmp_path / "station") as station, archiving(tmp_path, station) as process:
        assert process.wait(30) == 2


def test_a_wrong_database_ends_in_one_line(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    address = f"postgresql+psycopg://draem:secret@127.0.0.1:{port}/x"
    with (
        line(tmp_path / "station") as station,
        archiving(tmp_path, station, "--database", address) as process,
    ):
        assert process.wait(60) == 2
        assert process.stderr is not None
        (printed,) = process.stderr.read().splitlines()
    assert "secret" not in printed
    assert "check that the database runs" in printed


def test_an_archive_that_hangs_feeds_no_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, goes_on = open_database(str(tmp_path / "archive.db"), create=True), StopEvent()
    writer = Writer(engine, PictureStore(str(tmp_path / "pictures")), 1, [])
    with ServiceManager(tmp_path) as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.path)
        collector = Collector(writer, [], None, "archive")
        thread = Thread(target=collector.run, args=(goes_on.wait,))
        thread.start()
        systemd.wait_for("READY=1")
        systemd.wait_for("WATCHDOG=1")
        assert systemd.next(1.2) is None
        goes_on.set()
        systemd.wait_for("WATCHDOG=1")
        collector.stop()
        thread.join()
    engine.dispose()
