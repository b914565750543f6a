"""The durable log: consecutive numbers across crashes, one writer, commit before publish."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.events.codes import Code
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal import DATABASE_NAME, Durability, Journal, JournalError
from edge.events.journal_reader import JournalReader
from edge.station.event_writer import EventWriter
from tests.support.event_log import logged, tick
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents


def numbers(folder: Path) -> list[int]:
    return [header.seq for header in logged(folder)]


def test_journal_continues_its_stream_after_a_restart(tmp_path: Path) -> None:
    sink, streams = RecordedEvents(), set()
    for _ in range(3):
        with Journal(tmp_path) as journal:
            streams.add(journal.stream_id)
            writer = EventWriter("s", PRODUCT, journal, sink)
            for _ in range(5):
                writer.fault(Code.CAMERA, "cut")
    assert [h.seq for h in sink.headers] == numbers(tmp_path) == list(range(1, 16))
    assert len(streams) == 1


def test_journals_of_two_folders_have_different_streams(tmp_path: Path) -> None:
    with Journal(tmp_path / "a") as first, Journal(tmp_path / "b") as second:
        assert first.stream_id != second.stream_id
        assert first.head == second.head == 0


def test_journal_has_one_writer(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path)
    with Journal(tmp_path):
        pass


def test_journal_refuses_a_file_that_is_not_a_log(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database, but as long as one" * 100)
    for _ in range(2):  # the lock is released after the error
        with pytest.raises(JournalError, match="move it to another folder"):
            Journal(tmp_path)


def test_journal_refuses_a_log_of_another_schema_and_does_not_change_it(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_NAME
    with Journal(tmp_path) as journal:
        journal._database.execute("UPDATE about SET value = '9' WHERE name = 'schema'")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="schema 9"):
        Journal(tmp_path)
    assert path.read_bytes() == before


def test_journal_refuses_events_that_do_not_follow_the_last(tmp_path: Path) -> None:
    sink = RecordedEvents()
    with Journal(tmp_path) as journal:
        EventWriter("s", PRODUCT, journal, sink).fault(Code.CAMERA, "cut")
        with pytest.raises(JournalError, match="do not follow"):
            journal.append(sink.headers, [[b"", b"", b""]])
    assert numbers(tmp_path) == [1]


WRITER = """
import sys
from pathlib import Path
from edge.events.codes import Code
from edge.events.journal import Journal
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT

class Printed:
    def send(self, parts):
        print(parts[1].decode(), flush=True)

with Journal(Path(sys.argv[1]), sys.argv[2]) as journal:
    writer = EventWriter("s", PRODUCT, journal, Printed())
    while True:
        writer.fault(Code.CAMERA, "cut")
"""


@pytest.mark.parametrize("durability", ["process", "full"])
def test_journal_has_every_event_that_a_killed_process_published(
    durability: str, tmp_path: Path
) -> None:
    """After kill -9 between two commits, twice: every published event is in the log, once."""
    published: list[int] = []
    for _ in range(2):
        command = [sys.executable, "-c", WRITER, str(tmp_path), durability]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(40):
                published.append(json.loads(writer.stdout.readline())["seq"])
            writer.kill()
            rest = writer.stdout.read().splitlines(keepends=True)
        published += [json.loads(line)["seq"] for line in rest if line.endswith("\n")]
    found = numbers(tmp_path)
    assert found == list(range(1, len(found) + 1))
    assert published == sorted(set(published) & set(found)), "in order, each once"
    assert len(found) - len(published) <= 2, "at each kill at most one was not published yet"


def test_journal_is_read_while_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="--station"):
        JournalReader(tmp_path)
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, RecordedEvents())
        with JournalReader(tmp_path) as reader:
            assert (reader.first(), reader.head(), reader.page(0, 10)) == (1, 0, [])
            for i in range(25):
                writer.fault(Code.CAMERA, str(i))
            assert (reader.first(), reader.head()) == (1, 25)
            assert reader.stream_id == journal.stream_id
            page = [decode(message).header.seq for message in reader.page(10, 10)]
            assert page == list(range(11, 21))
            assert [decode(m).header.seq for m in reader.newest(3)] == [23, 24, 25]


def test_inspections_are_read_by_id_and_by_verdict(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, RecordedEvents())
        for trigger, gray in enumerate([0, 255, 0, 255, 255], start=11):
            inspect(writer, trigger, gray)
    with JournalReader(tmp_path) as reader:
        header = decode(reader.inspection(4) or []).header
        assert isinstance(header, Inspection)
        assert (header.inspection_id, header.trigger_id) == (4, 14)
        assert reader.inspection(6) is None
        assert [decode(m).header.seq for m in reader.newest(2, "NG")] == [4, 5]


def test_journal_numbers_continue_after_their_events_are_deleted(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, RecordedEvents())
        for trigger in range(1, 101):
            inspect(writer, trigger)
        writer.status("stopped")
        while journal.trim(1000, None):
            pass
        assert journal.oldest() == 101
    sink = RecordedEvents()
    with Journal(tmp_path) as journal:
        inspect(EventWriter("s", PRODUCT, journal, sink), 105)
    assert [(h.trigger_id, h.inspection_id) for h in sink.inspections] == [
        (101, 101), (102, 102), (103, 103), (104, 104), (105, 105),
    ]  # fmt: skip


def change_about(folder: Path, **values: str) -> None:
    """Change the log's metadata, as a crash or a restart of the machine would leave it."""
    database = sqlite3.connect(folder / DATABASE_NAME)
    with database:
        for name, value in values.items():
            database.execute("UPDATE about SET value = ? WHERE name = ?", (value, name))
    database.close()


@pytest.mark.parametrize(("durability", "first"), [("process", 1_000_002), ("full", 2)])
def test_journal_uses_no_number_again_after_a_loss_of_power(
    tmp_path: Path, durability: Durability, first: int
) -> None:
    """The last commits may be undone with durability `process`: their numbers are skipped."""
    with Journal(tmp_path, durability) as journal:
        inspect(EventWriter("s", PRODUCT, journal, RecordedEvents()), 1)
    change_about(tmp_path, closed="no")
    with Journal(tmp_path, durability) as journal:
        assert journal.head == 1, "the machine was not restarted: nothing was lost"
    change_about(tmp_path, boot_id="an earlier start")
    with Journal(tmp_path, durability) as journal:
        assert journal.head == 1, "the log was closed: nothing was lost"
    change_about(tmp_path, boot_id="an earlier start", closed="no")
    sink = RecordedEvents()
    with Journal(tmp_path, durability) as journal:
        inspect(EventWriter("s", PRODUCT, journal, sink), 2)
    assert (sink.inspections[0].seq, sink.inspections[0].inspection_id) == (first, first)


def test_trimming_after_skipped_numbers_never_deletes_the_last_event(tmp_path: Path) -> None:
    """A log without events would look restored to a subscriber, which would begin anew."""
    with Journal(tmp_path) as journal:
        inspect(EventWriter("s", PRODUCT, journal, RecordedEvents()), 1)
    change_about(tmp_path, closed="no", boot_id="an earlier start")
    with Journal(tmp_path) as journal:
        assert not journal.trim(journal.head, None)
        assert journal.oldest() == 1


def test_journal_that_another_process_locks_does_not_stop_the_loop(tmp_path: Path) -> None:
    sink = RecordedEvents()
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        os.unlink(tmp_path / "reserve")
        other = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert inspect(writer, 1).verdict == "NO_VERDICT"
        tick(writer)
        assert sink.heartbeats[-1].state == "fault"
        other.execute("ROLLBACK")
        other.close()
        tick(writer)
    assert [h.trigger_id for h in sink.inspections] == [1]
