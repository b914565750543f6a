"""Trouble with the log: a disk that is full, triggers of a time when nobody logged, old events."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from edge.camera import CameraNotice
from edge.events.cursors import Cursors
from edge.events.event import (
    AnyHeader,
    Code,
    Event,
    Fault,
    Heartbeat,
    Inspection,
    decode,
    decode_live,
)
from edge.events.journal import DATABASE_NAME, RESERVE, Durability, Journal
from edge.events.journal_reader import JournalReader
from edge.events.retention import Retention, RetentionLimits
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT, inspect

KB = 1024


class Told:
    """An outlet that keeps events and heartbeats."""

    def __init__(self) -> None:
        self.events: list[AnyHeader] = []
        self.heartbeats: list[Heartbeat] = []

    def send(self, parts: list[bytes]) -> None:
        message = decode_live(parts)
        if isinstance(message, Event):
            self.events.append(message.header)
        else:
            self.heartbeats.append(message)

    @property
    def inspections(self) -> list[Inspection]:
        return [h for h in self.events if isinstance(h, Inspection)]

    @property
    def faults(self) -> list[Fault]:
        return [h for h in self.events if isinstance(h, Fault)]


def beat(stream: EventWriter) -> None:
    """A turn of the loop for which everything is due."""
    stream._next_heartbeat = stream._next_trim = 0.0
    stream.tick(Controls(PRODUCT))


def logged(folder: Path) -> list[AnyHeader]:
    with JournalReader(folder) as reader:
        return [decode(message).header for message in reader.page(0, 1_000_000)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk here: run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Take every block that is left, and tell where."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return filler


def test_camera_that_is_away_is_told_by_every_heartbeat_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bridge that comes in the middle, and missed the fault, tells its PLC nothing else."""
    told, controls = Told(), Controls(PRODUCT)
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        for code, state in ((Code.CAMERA_LOST, "fault"), (Code.CAMERA_BACK, "running")):
            stream.camera(CameraNotice(code, "its cable"))
            stream.tick(controls)
            away = code.name.lower() if state == "fault" else ""
            assert (told.faults[-1].code.name, controls.outage) == (code.name.lower(), away)
            beat = told.heartbeats[-1]
            assert (beat.state, beat.code.name) == (state, away or "none")
            assert beat.message == ("its cable" if away else "")
        assert len(told.heartbeats) == 2, "at once"
        assert caplog.text.count("its cable") == 1, "the line's own log tells it too"
        stream.camera(CameraNotice(Code.CAMERA_LOST, "its cable"))
        inspect(stream, 1)
        stream.tick(controls)
        assert (told.heartbeats[-1].state, controls.outage) == ("running", ""), "it gives frames"


def test_journal_on_a_full_disk_tells_it_then_gives_no_verdict_then_recovers(
    small_disk: Path,
) -> None:
    """The real thing: a file system without a block left, and later with room again."""
    told = Told()
    with Journal(small_disk, reserve_bytes=256 * KB) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        assert inspect(stream, 1).verdict == "OK"
        filler = fill_up(small_disk)
        trigger = 1
        while not told.faults:
            trigger += 1
            verdict = inspect(stream, trigger).verdict
        assert verdict == "OK", "the reserve has room for this event and some more"
        assert told.faults[0].code.name == "unlogged"
        assert not (small_disk / RESERVE).exists()
        while inspect(stream, trigger := trigger + 1).verdict == "OK":
            assert trigger < 10_000
        before = len(told.events)
        for _ in range(20):
            trigger += 1
            assert inspect(stream, trigger, gray=255).verdict == "NO_VERDICT"
        assert len(told.events) == before, "nothing is published that is not in the log"
        beat(stream)
        assert (told.heartbeats[-1].state, told.heartbeats[-1].code.name) == ("fault", "unlogged")
        assert "disk" in told.heartbeats[-1].message
        assert stream.unlogged == 21

        filler.unlink()
        beat(stream)
        assert (told.heartbeats[-1].state, stream.unlogged) == ("running", 0)
        trigger += 1
        assert inspect(stream, trigger).verdict == "OK"
        assert (small_disk / RESERVE).exists()
    assert [h.trigger_id for h in told.inspections] == list(range(1, trigger + 1))
    late = [h for h in told.inspections if h.code.name == "unlogged"]
    assert [h.trigger_id for h in late] == list(range(trigger - 21, trigger))
    assert {h.verdict for h in late} == {"NO_VERDICT"}
    assert [h.inspection_id for h in told.inspections] == list(range(1, trigger + 1))
    assert told.events == logged(small_disk)
    assert [h.seq for h in told.events] == list(range(1, len(told.events) + 1))


def test_journal_that_cannot_be_written_keeps_a_bounded_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.station.unlogged_queue.MAX_WAITING", 500)
    told = Told()
    with Journal(tmp_path, reserve_bytes=KB) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        inspect(stream, 1)
        journal.free_reserve()
        journal._database.execute("PRAGMA max_page_count = 1")
        fits = 0
        for trigger in range(2, 801):
            fits += inspect(stream, trigger).verdict == "OK"
        assert stream.unlogged == 799 - fits
        journal._database.execute("PRAGMA max_page_count = 10000000")
        while stream.unlogged:
            beat(stream)
        inspect(stream, 801)
    assert [h.trigger_id for h in told.inspections] == [*range(1, fits + 502), 801]
    assert f"{299 - fits} more" in told.faults[-1].message
    assert f"triggers {fits + 502} to 800" in told.faults[-1].message
    assert told.events == logged(tmp_path)


def test_journal_accounts_for_triggers_while_the_program_was_down(tmp_path: Path) -> None:
    told = Told()
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        inspect(stream, 100)  # the first of a new log: what was before is unknown
        inspect(stream, 101)
        inspect(stream, 104)
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        inspect(stream, 110)
        inspect(stream, 111)
        inspect(stream, 112 + 10_001)
        inspect(stream, 5)  # the line's counter began anew
        inspect(stream, 6)
    codes = {h.trigger_id: (h.verdict, h.code.name) for h in told.inspections}
    assert codes[102] == codes[103] == ("NO_VERDICT", "trigger_lost")
    assert [codes[i] for i in range(105, 110)] == [("NO_VERDICT", "outage")] * 5
    assert codes[110] == codes[111] == ("OK", "none")
    assert "112 to 10112" in told.faults[0].message
    assert [h.trigger_id for h in told.inspections][-3:] == [10113, 5, 6]
    assert told.events == logged(tmp_path)


def test_journal_keeps_what_a_bridge_has_not_acknowledged(tmp_path: Path) -> None:
    """By age; a watcher's cursor holds nothing, a bridge's holds what follows it."""
    told = Told()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1e-9, grace_s=0)
        stream = EventWriter("s", PRODUCT, journal, told, Retention(journal, cursors, limits))
        for trigger in range(1, 301):
            inspect(stream, trigger)
        cursors.acknowledge("screen", "watch", journal.stream_id, 5)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 200)
        cursors.acknowledge("old", "bridge", "another stream", 1)
        for _ in range(50):
            beat(stream)
        assert [h.seq for h in logged(tmp_path)] == list(range(201, 301))
        cursors.acknowledge("plc", "bridge", journal.stream_id, 300)
        for _ in range(50):
            beat(stream)
        assert [h.seq for h in logged(tmp_path)] == [300], "the last one carries the numbers on"
        assert [c.name for c in cursors.all()] == ["old", "plc", "screen"]
    assert told.faults == []
    with Journal(tmp_path) as journal:
        assert (journal.head, journal.inspection_id, journal.trigger_id) == (300, 300, 300)


@pytest.mark.parametrize("why", ["age", "size"])
def test_journal_drops_the_cursor_of_a_bridge_that_is_gone(tmp_path: Path, why: str) -> None:
    told = Told()
    limits = (
        RetentionLimits(days=1e-9, cursor_days=1e-9, grace_s=0)
        if why == "age"
        else RetentionLimits(mb=0.1)
    )
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        stream = EventWriter("s", PRODUCT, journal, told, Retention(journal, cursors, limits))
        for trigger in range(1, 601):
            inspect(stream, trigger)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 10)
        cursors._do("UPDATE cursors SET seen_at = '2020-01-01T00:00:00+00:00'")
        if why == "size":
            cursors.acknowledge("plc", "bridge", journal.stream_id, 10)
        for _ in range(100):
            beat(stream)
        assert cursors.all() == []
        assert journal.size() < 150 * KB if why == "size" else len(logged(tmp_path)) == 1
    assert [fault.code.name for fault in told.faults] == ["cursor_dropped"]
    assert "plc" in told.faults[0].message


def test_journal_trims_without_holding_up_the_loop(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        retention = Retention(journal, cursors, RetentionLimits(days=1e-9, grace_s=0))
        stream = EventWriter("s", PRODUCT, journal, Told(), retention)
        for trigger in range(1, 3001):
            inspect(stream, trigger)
        longest, ticks = 0.0, 0
        while (journal.oldest() or (0,))[0] < journal.head:
            start = time.monotonic()
            retention.trim()
            longest, ticks = max(longest, time.monotonic() - start), ticks + 1
        assert ticks > 3, "a little at a time"
        assert longest < 0.05


def test_journal_reserve_is_really_taken(tmp_path: Path) -> None:
    with Journal(tmp_path, reserve_bytes=256 * KB):
        about = os.stat(tmp_path / RESERVE)
        assert about.st_size == 256 * KB
        assert about.st_blocks * 512 >= 256 * KB


def stamped(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """From now on the wall clock says so."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls.fromisoformat(moment)

    monkeypatch.setattr("edge.station.event_writer.datetime", Clock)


@pytest.mark.parametrize("first", ["2099-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"])
def test_journal_never_has_a_hole_when_clocks_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """By size the oldest numbers go, whatever their times; by age none behind a younger one."""
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1, mb=0.08, grace_s=0)
        stream = EventWriter("s", PRODUCT, journal, Told(), Retention(journal, cursors, limits))
        stamped(monkeypatch, first)
        for trigger in range(1, 51):
            inspect(stream, trigger)
        monkeypatch.undo()
        for trigger in range(51, 401):
            inspect(stream, trigger)
        for _ in range(50):
            beat(stream)
        assert journal.size() < 100 * KB
    seqs = [h.seq for h in logged(tmp_path)]
    assert seqs == list(range(seqs[0], 401))
    assert seqs[0] > 50


def test_journal_drops_no_bridge_because_a_clock_was_set(tmp_path: Path) -> None:
    """A bridge that is there, or that had no time yet to come back, is not 40 days silent."""
    told = Told()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        stream = EventWriter(
            "s", PRODUCT, journal, told, Retention(journal, cursors, RetentionLimits())
        )
        for trigger in range(1, 301):
            inspect(stream, trigger)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 100)
        cursors._do("UPDATE cursors SET seen_at = '2020-01-01T00:00:00+00:00'")
        for _ in range(20):
            beat(stream)
        assert [c.name for c in cursors.all()] == ["plc"]
    assert told.faults == []
    assert len(logged(tmp_path)) == 300


def test_journal_drops_a_silent_bridge_also_when_nothing_is_to_be_trimmed(tmp_path: Path) -> None:
    told = Told()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        retention = Retention(journal, cursors, RetentionLimits(grace_s=0))
        stream = EventWriter("s", PRODUCT, journal, told, retention)
        inspect(stream, 1)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 1)
        cursors._do("UPDATE cursors SET seen_at = '2020-01-01T00:00:00+00:00'")
        beat(stream)
    assert [fault.code.name for fault in told.faults] == ["cursor_dropped"]


def test_journal_counters_outlive_their_events(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, Told())
        for trigger in range(1, 101):
            inspect(stream, trigger)
        stream.status("stopped")
        while journal.trim(1000, None):
            pass
        assert (journal.oldest() or (0,))[0] == 101
    told = Told()
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        inspect(stream, 105)
    assert [(h.trigger_id, h.inspection_id) for h in told.inspections] == [
        (101, 101), (102, 102), (103, 103), (104, 104), (105, 105),
    ]  # fmt: skip


@pytest.mark.parametrize(("durability", "leaps"), [("process", True), ("full", False)])
def test_journal_gives_no_number_twice_after_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, leaps: bool
) -> None:
    """What was committed last may be gone with the power: others must not get its numbers."""
    first = Journal(tmp_path, durability)
    inspect(EventWriter("s", PRODUCT, first, Told()), 1)
    first._database.close()  # without the mark of a clean end, as a cut leaves it
    assert first._lock is not None
    first._lock.close()
    with Journal(tmp_path, durability) as journal:
        assert journal.head == 1, "the same boot: nothing was lost"
        journal._set(closed="no", boot_id="the boot before")
    (database := sqlite3.connect(tmp_path / DATABASE_NAME)).execute(
        "UPDATE about SET value = 'no' WHERE name = 'closed'"
    )
    database.commit()
    database.close()
    told = Told()
    with Journal(tmp_path, durability) as journal:
        inspect(EventWriter("s", PRODUCT, journal, told), 2)
    expected = 1_000_002 if leaps else 2
    assert (told.inspections[0].seq, told.inspections[0].inspection_id) == (expected, expected)


def test_journal_locked_by_somebody_else_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    told = Told()
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, told)
        journal.free_reserve()
        other = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        assert inspect(stream, 1).verdict == "NO_VERDICT"
        beat(stream)
        assert time.monotonic() - start < 1
        assert told.heartbeats[-1].state == "fault"
        other.execute("ROLLBACK")
        other.close()
        beat(stream)
    assert [h.trigger_id for h in told.inspections] == [1]


def test_journal_reserve_that_is_empty_is_none(tmp_path: Path) -> None:
    """A kill while it was made leaves an empty file."""
    (tmp_path / RESERVE).touch()
    with Journal(tmp_path, reserve_bytes=64 * KB):
        assert (tmp_path / RESERVE).stat().st_size == 64 * KB
