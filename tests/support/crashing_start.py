"""Starts of a station's log that are killed at each of their SQL statements, and the next start.

`python -m tests.support.crashing_start FOLDER`: forks, so it runs in a process without threads.
Prints the number of crash points; fails with the numbers that two different events have got.
"""

import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.events import clock
from edge.events.encoding import decode_live
from edge.events.event import Event, Inspection
from edge.events.journal import Journal
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT, inspect


class Published:
    """Appends number and content of each published event to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, parts: list[bytes]) -> None:
        message = decode_live(parts)
        if isinstance(message, Event) and isinstance(header := message.header, Inspection):
            with self._path.open("a") as file:
                file.write(f"{header.seq} {header.inspection_id} {header.trigger_id}\n")


def in_child(work: Callable[[], None]) -> int:
    """The exit status of a child process that does `work`; -9 where it killed itself."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001  printed, since `_exit` would hide it
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at_statement(number: int) -> None:
    """Kill this process before its `number`-th SQL statement."""
    connect, left = sqlite3.connect, [number]

    def counted(_: str) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args: Any, **options: Any) -> Any:
        database = connect(*args, **options)
        database.set_trace_callback(counted)
        return database

    sqlite3.connect = traced


def start(folder: Path, boot: str, events: list[int], crash_at: int | None = None) -> int:
    """One start of the log on the machine's start `boot`, which publishes parts and closes."""

    def work() -> None:
        boot_file = folder.with_name("boot")
        boot_file.write_text(boot)
        clock.BOOT_ID = boot_file
        if crash_at is not None:
            kill_at_statement(crash_at)
        with Journal(folder, "process", 4096) as journal:
            writer = EventWriter("s", PRODUCT, journal, Published(folder / "published"))
            for trigger_id in events:
                inspect(writer, trigger_id)

    return in_child(work)


def lose_the_last_event(folder: Path) -> None:
    """Two events are published; then the power fails, and the log has only the first."""

    def work() -> None:
        clock.BOOT_ID = folder.with_name("boot")
        clock.BOOT_ID.write_text("boot 1")
        journal = Journal(folder, "process", 4096)
        writer = EventWriter("s", PRODUCT, journal, Published(folder / "published"))
        inspect(writer, 1)
        kept = folder.with_name("kept")
        kept.mkdir()
        for name in ("events.db", "events.db-wal"):
            shutil.copy(folder / name, kept / name)
        inspect(writer, 2)
        shutil.copy(folder / "published", kept / "published")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    shutil.rmtree(folder)
    folder.with_name("kept").rename(folder)


def check(folder: Path) -> None:
    """Fail where a number or an inspection id was given to two events."""
    lines = (folder / "published").read_text().splitlines()
    for column in zip(*(line.split()[:2] for line in lines), strict=True):
        assert len(set(column)) == len(column), f"{folder}: numbers came twice in {lines}"


def every_crash(origin: Path, boots: tuple[str, ...]) -> int:
    """Kill a start at each statement, then start once more on each of `boots`; crash points."""
    place, point = origin.with_name("copy") / "log", 0
    while True:
        point += 1
        for boot in boots:
            shutil.rmtree(place.parent, ignore_errors=True)
            shutil.copytree(origin, place)
            ended = start(place, "boot 2", [3], point)
            assert ended in (0, -signal.SIGKILL), ended
            assert start(place, boot, []) == 0, f"no start after a crash at statement {point}"
            assert start(place, boot, [4]) == 0
            check(place)
        if ended == 0:
            return point


def main(folder: Path) -> None:
    boots = ("boot 2", "boot 3")  # the second after another loss of power
    new, lossy = folder / "new", folder / "lossy"
    new.mkdir()
    lose_the_last_event(lossy)
    print(every_crash(new, boots[:1]), every_crash(lossy, boots))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
