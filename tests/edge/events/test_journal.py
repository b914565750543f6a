"""The durable log: numbered without a gap across deaths, one writer, nothing published unlogged."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.events.event import Code, decode
from edge.events.journal import DATABASE_NAME, Journal, JournalError
from edge.events.journal_reader import JournalReader
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT


class Kept:
    """An outlet that keeps the sequence numbers it is given."""

    def __init__(self) -> None:
        self.seqs: list[int] = []

    def send(self, parts: list[bytes]) -> None:
        self.seqs.append(decode(parts).header.seq)


def logged(folder: Path) -> list[int]:
    with sqlite3.connect(folder / DATABASE_NAME) as database:
        return [row[0] for row in database.execute("SELECT seq FROM events ORDER BY seq")]


def test_journal_goes_on_after_a_restart(tmp_path: Path) -> None:
    outlet, streams = Kept(), set()
    for _ in range(3):
        with Journal(tmp_path) as journal:
            streams.add(journal.stream_id)
            stream = EventWriter("s", PRODUCT, journal, outlet)
            for _ in range(5):
                stream.fault(Code.CAMERA, "cut")
    assert outlet.seqs == logged(tmp_path) == list(range(1, 16))
    assert len(streams) == 1


def test_journal_in_memory_starts_anew() -> None:
    with Journal(None) as first, Journal(None) as second:
        assert first.stream_id != second.stream_id
        assert first.head == second.head == 0


def test_journal_has_one_writer(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path)
    with Journal(tmp_path):
        pass


def test_journal_refuses_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(JournalError, match="move it away"):
        Journal(tmp_path)
    (tmp_path / DATABASE_NAME).unlink()
    with Journal(tmp_path) as journal:
        journal._database.execute("UPDATE about SET value = '9' WHERE name = 'schema'")
    with pytest.raises(JournalError, match="schema 9"):
        Journal(tmp_path)


WRITER = """
import sys
from pathlib import Path
from edge.events.event import Code
from edge.events.journal import Journal
from tests.support.minimal_station import PRODUCT
from edge.station.event_writer import Stream

class Told:
    def send(self, parts):
        print(parts[1].decode(), flush=True)

with Journal(Path(sys.argv[1]), sys.argv[2]) as journal:
    stream = Stream("s", journal, Told())
    while True:
        stream.fault(Code.CAMERA, "cut")
"""


@pytest.mark.parametrize("durability", ["process", "full"])
def test_journal_holds_all_that_was_published_by_a_killed_process(
    durability: str, tmp_path: Path
) -> None:
    """kill -9 amid commits, three times: every event that anybody saw is in the log, once."""
    seen: list[int] = []
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), durability]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(40):
            seen.append(_seq(writer.stdout.readline()))
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
        seen += [_seq(line) for line in rest if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
    found = logged(tmp_path)
    assert found == list(range(1, len(found) + 1))
    assert set(seen) <= set(found)
    assert seen == sorted(set(seen)), "in order, none twice"
    assert len(found) - len(seen) <= 3, "at most the one in hand at each death was not told"


def _seq(line: str) -> int:
    import json

    return int(json.loads(line)["seq"])


def test_journal_is_read_while_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="--station"):
        JournalReader(tmp_path)
    with Journal(tmp_path) as journal:
        stream = EventWriter("s", PRODUCT, journal, Kept())
        with JournalReader(tmp_path) as reader:
            assert (reader.head(), reader.page(0, 10)) == (0, [])
            for i in range(25):
                stream.fault(Code.CAMERA, str(i))
            assert reader.head() == 25
            assert reader.stream_id == journal.stream_id
            page = [decode(message).header.seq for message in reader.page(10, 10)]
            assert page == list(range(11, 21))
            assert [decode(m).header.seq for m in reader.newest(3)] == [23, 24, 25]
