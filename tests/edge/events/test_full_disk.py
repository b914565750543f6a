"""A log that cannot be written: disk reserve, parts without a verdict, recovery in order."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.events.disk_reserve import RESERVE_NAME
from edge.events.journal import Journal
from edge.station.event_writer import EventWriter
from tests.support.event_log import logged, tick
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents

KB = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
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
    """Use every free block of the disk for one file, and return it."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return filler


def test_full_disk_is_reported_then_ends_verdicts_until_there_is_space(small_disk: Path) -> None:
    sink = RecordedEvents()
    with Journal(small_disk, reserve_bytes=256 * KB) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        assert inspect(writer, 1).verdict == "OK"
        filler = fill_up(small_disk)
        trigger = 1
        while not sink.faults:
            trigger += 1
            verdict = inspect(writer, trigger).verdict
        assert verdict == "OK", "the reserve has space for this event and some more"
        assert sink.faults[0].code.name == "unlogged"
        assert not (small_disk / RESERVE_NAME).exists()
        while inspect(writer, trigger := trigger + 1).verdict == "OK":
            assert trigger < 10_000
        before = len(sink.headers)
        for _ in range(20):
            trigger += 1
            assert inspect(writer, trigger, gray=255).verdict == "NO_VERDICT"
        assert len(sink.headers) == before, "nothing is published that is not in the log"
        tick(writer)
        assert (sink.heartbeats[-1].state, sink.heartbeats[-1].code.name) == ("fault", "unlogged")
        assert "disk" in sink.heartbeats[-1].message
        assert writer.unlogged == 21

        filler.unlink()
        tick(writer)
        assert (sink.heartbeats[-1].state, writer.unlogged) == ("running", 0)
        trigger += 1
        assert inspect(writer, trigger).verdict == "OK"
        assert (small_disk / RESERVE_NAME).exists()
    assert [h.trigger_id for h in sink.inspections] == list(range(1, trigger + 1))
    late = [h for h in sink.inspections if h.code.name == "unlogged"]
    assert [h.trigger_id for h in late] == list(range(trigger - 21, trigger))
    assert {h.verdict for h in late} == {"NO_VERDICT"}
    assert [h.inspection_id for h in sink.inspections] == list(range(1, trigger + 1))
    assert sink.headers == logged(small_disk)
    assert [h.seq for h in sink.headers] == list(range(1, len(sink.headers) + 1))


def test_a_limited_number_of_events_waits_for_a_log_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.events.unlogged_queue.MAX_WAITING", 50)
    sink = RecordedEvents()
    with Journal(tmp_path, reserve_bytes=KB) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        inspect(writer, 1)
        journal.reserve.free()
        journal._database.execute("PRAGMA max_page_count = 1")
        fits = sum(inspect(writer, trigger).verdict == "OK" for trigger in range(2, 121))
        assert writer.unlogged == 119 - fits
        journal._database.execute("PRAGMA max_page_count = 10000000")
        while writer.unlogged:
            tick(writer)
        inspect(writer, 121)
    assert [h.trigger_id for h in sink.inspections] == [*range(1, fits + 52), 121]
    assert f"{69 - fits} more" in sink.faults[-1].message
    assert f"triggers {fits + 52} to 120" in sink.faults[-1].message
    assert sink.headers == logged(tmp_path)


def test_disk_reserve_occupies_its_space(tmp_path: Path) -> None:
    with Journal(tmp_path, reserve_bytes=256 * KB):
        status = (tmp_path / RESERVE_NAME).stat()
        assert status.st_size == 256 * KB
        assert status.st_blocks * 512 >= 256 * KB


def test_disk_reserve_that_is_empty_is_made_again(tmp_path: Path) -> None:
    """A kill while the reserve was made leaves an empty file."""
    (tmp_path / RESERVE_NAME).touch()
    with Journal(tmp_path, reserve_bytes=64 * KB) as journal:
        assert (tmp_path / RESERVE_NAME).stat().st_size == 64 * KB
        assert journal.reserve.free()
        assert not journal.reserve.free(), "there is none now"


def test_disk_reserve_leaves_as_much_space_free(small_disk: Path) -> None:
    with Journal(small_disk, reserve_bytes=1200 * KB):
        assert not (small_disk / RESERVE_NAME).exists()
