"""A log written by an earlier version of the program (commit 23593c6) is read and continued.

`earlier_log.tar.xz` holds two logs of the station `station-1`: `ended` was closed, `killed` was
written by a process that was killed, so that its events are in SQLite's write-ahead log.
"""

import tarfile
from pathlib import Path

import pytest

from edge.events.cursor_file import Cursor, read_cursor
from edge.events.cursors import Cursors
from edge.events.encoding import decode
from edge.events.event import Event, Inspection
from edge.events.journal import Journal
from edge.events.journal_reader import JournalReader

STREAM_ID = "41abfc898c344a96ae5241e942261abb"
KINDS = ["status", *["inspection"] * 5, "fault"]
# trigger_id, verdict and code of each inspection
PARTS = [
    (100, "OK", "none"),
    (101, "NG", "none"),
    (102, "NO_VERDICT", "trigger_lost"),
    (103, "NO_VERDICT", "trigger_lost"),
    (104, "OK", "none"),
]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    with tarfile.open(Path(__file__).with_name("earlier_log.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def read(folder: Path) -> list[Event]:
    with JournalReader(folder) as reader:
        return [decode(message) for message in reader.page(0, 100)]


@pytest.mark.parametrize(("name", "kinds"), [("ended", [*KINDS, "status"]), ("killed", KINDS)])
def test_events_of_an_earlier_log_are_read(logs: Path, name: str, kinds: list[str]) -> None:
    events = read(logs / name)
    assert [event.header.kind for event in events] == kinds
    assert [event.header.seq for event in events] == list(range(1, len(kinds) + 1))
    parts = [event.header for event in events if isinstance(event.header, Inspection)]
    assert [(part.trigger_id, part.verdict, part.code.name) for part in parts] == PARTS
    assert [part.inspection_id for part in parts] == [1, 2, 3, 4, 5]
    mask = events[2].mask
    assert mask is not None
    assert mask.shape == (32, 32)
    assert (mask == 255).all()


def test_an_earlier_log_is_continued_with_the_next_numbers(logs: Path) -> None:
    with Journal(logs / "ended") as journal:
        assert journal.stream_id == STREAM_ID
        assert (journal.head, journal.inspection_id, journal.trigger_id) == (8, 5, 104)


def test_an_earlier_log_skips_numbers_if_the_device_restarted_after_a_kill(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last events may be lost with the power: their numbers must not be given again."""
    monkeypatch.setattr("edge.events.journal.boot_id", lambda: "the next start")
    with Journal(logs / "killed") as journal:
        assert (journal.head, journal.inspection_id) == (1_000_007, 1_000_005)
        assert journal.trigger_id == 104


def test_cursors_of_an_earlier_log_are_read(logs: Path) -> None:
    assert read_cursor(logs / "ended" / "subscriber.cursor") == Cursor(STREAM_ID, 4)
    with Cursors(logs / "ended") as cursors:
        found = [(c.name, c.role, c.stream_id, c.seq) for c in cursors.all()]
    assert found == [("plc", "bridge", STREAM_ID, 4), ("screen", "watch", STREAM_ID, 7)]
