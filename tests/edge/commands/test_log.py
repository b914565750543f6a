"""`draem log` after a real run: what happened, by verdict, as a table and as masks."""

import csv
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import cv2
import pytest

from edge.commands.watch import local_time
from edge.events.codes import Code
from edge.events.journal import Journal
from edge.station.event_writer import EventWriter
from tests.conftest import Plant, write_parts
from tests.support.commands import draem_in_process
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents


def test_the_journal_of_a_run_is_shown_and_exported(calibrated: Plant, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "parts", 6, seed=1)
    parts[2].write_bytes(b"broken")
    run = ("run", "--product", "lid", "--source", str(tmp_path / "parts"), "--data",
           str(tmp_path / "data"), "--endpoint", "tcp://127.0.0.1:*")  # fmt: skip
    for _ in range(2):
        done = draem_in_process(*run, cwd=calibrated.root)
        assert done.returncode == 0, done.stderr
    look = ("log", "--data", str(tmp_path / "data"))
    shown = draem_in_process(*look, "--last", "100", cwd=calibrated.root)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) == 2 * (1 + 6 + 1)
    none = draem_in_process(
        *look, "--verdict", "NO_VERDICT", cwd=calibrated.root
    ).stdout.splitlines()
    assert len(none) == 2
    assert all("frame_unreadable" in row for row in none)
    table, masks = tmp_path / "table.csv", tmp_path / "masks"
    draem_in_process(*look, "--csv", str(table), "--masks", str(masks), cwd=calibrated.root)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["inspection_id"]) for row in rows] == list(range(1, 13))
    assert [row["code"] for row in rows].count("frame_unreadable") == 2
    assert len(list(masks.iterdir())) == 10
    mask = cv2.imread(str(masks / "1.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (64, 64)
    missing = draem_in_process("log", "--station", "nobody", cwd=tmp_path)
    assert missing.returncode == 2
    assert "--station" in missing.stderr


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    """A folder with a log of 50 inspections of `station-1`."""
    with Journal(tmp_path / "data" / "station-1", reserve_bytes=4096) as journal:
        writer = EventWriter("station-1", PRODUCT, journal, RecordedEvents())
        for number in range(1, 51):
            inspect(writer, number, gray=255 * (number % 2))
        writer.fault(Code.CAMERA, "cut")
    return tmp_path


def test_times_are_local_with_date_and_zone_and_iso_on_request(
    in_berlin: None, long_log: Path
) -> None:
    assert local_time("2026-01-31T23:30:00.123456+00:00") == "2026-02-01 00:30:00.123+01:00"
    assert local_time("2026-07-31T23:30:00.123456+00:00") == "2026-08-01 01:30:00.123+02:00"
    assert local_time("no time") == local_time("no time", iso=True) == "no time"
    shown = draem_in_process("log", "--last", "1", cwd=long_log).stdout
    at = datetime.fromisoformat(" ".join(shown.split()[:2]))
    assert at.utcoffset() == at.astimezone().utcoffset()
    iso = draem_in_process("log", "--last", "1", "--iso", cwd=long_log).stdout.split()[0]
    assert (iso[10], iso[-6:]) == ("T", "+00:00")
    assert abs((datetime.fromisoformat(iso) - at).total_seconds()) < 0.001


def test_a_table_has_all_inspections_with_dates_unless_told_otherwise(long_log: Path) -> None:
    table, masks = long_log / "table.csv", long_log / "masks"
    words = ("log", "--csv", str(table), "--masks", str(masks))
    for more, count in ((), 50), (("--last", "6"), 5), (("--verdict", "NG"), 25):
        assert draem_in_process(*words, *more, cwd=long_log).returncode == 0
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == count
        for row in rows:
            for name in ("published_at", "captured_at"):
                assert datetime.fromisoformat(row[name]).tzinfo is not None
    assert len(list(masks.iterdir())) == 50
    shown = draem_in_process("log", cwd=long_log).stdout.splitlines()
    assert len(shown) == 20


def test_a_table_that_cannot_be_completed_leaves_the_one_before(
    long_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = long_log / "table.csv"
    table.write_text("before")
    monkeypatch.setattr("edge.commands.log.COLUMNS", None)
    with pytest.raises(TypeError):
        draem_in_process("log", "--csv", str(table), cwd=long_log)
    assert table.read_text() == "before"
    assert sorted(path.name for path in long_log.iterdir()) == ["data", "table.csv"]
