"""The audit trail of an archive has what stations report, once, in the events' transaction."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from edge.archive import audit as trail
from edge.archive.archive import Archive
from edge.archive.audit import Change, Entry
from edge.archive.batch import Received
from edge.archive.collector import Collector, StationAddress
from edge.archive.database import reading
from edge.archive.errors import ArchiveError
from edge.archive.tables import audit, refused, status
from edge.archive.writer import Writer
from edge.events.event import Event, RecordedChange, Status
from tests.support.archived import BEGIN, inspected, reported, rows, running, write

PAUSE = RecordedChange(
    id="a" * 32, at="2026-11-02T05:59:00+00:00", action="pause", target="station line-1",
    old="running", new="paused", who="eva", origin="eva@panel", key="panel", reason="lens",
)  # fmt: skip


@pytest.fixture
def archive(database: str, engine: Engine) -> Iterator[Archive]:
    """The archive of `engine`."""
    with Archive(database) as opened:
        yield opened


def told(seq: int, *changes: RecordedChange, product: str = "lid", **fields: Any) -> Event:
    """A status event with changes."""
    header = running(seq, product, **fields).header
    assert isinstance(header, Status)
    return Event(header.model_copy(update={"changes": list(changes)}))


def entries(engine: Engine) -> list[Entry]:
    with reading(engine) as connection:
        assert trail.faults_of(connection) == []
        return trail.entries(connection)


def test_archive_has_who_paused_a_line_once_whatever_is_delivered_again(
    engine: Engine, writer: Writer
) -> None:
    write(writer, [told(1, PAUSE)])
    write(writer, [told(1, PAUSE), inspected(2)])
    (entry,) = entries(engine)
    assert (entry.who, entry.action, entry.target) == ("eva", "pause", "station line-1")
    assert entry.origin == "eva@panel, key panel, station line-1"
    assert (entry.old, entry.new, entry.reason) == ("running", "paused", "lens")
    assert entry.at.isoformat() == PAUSE.at
    assert entry.recorded > entry.at


def test_archive_takes_a_change_once_that_several_stations_report(
    engine: Engine, writer: Writer
) -> None:
    seal = PAUSE.model_copy(update={"id": "b" * 32, "action": "seal"})
    write(writer, [told(1, PAUSE, seal)])
    write(writer, [told(1, seal, stream="fedcba9876543210")], "tcp://b:1")
    assert [entry.action for entry in entries(engine)] == ["pause", "seal"]


def test_archive_writes_an_entry_with_its_event_or_neither(
    engine: Engine, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("edge.archive.batch.Batch._move_heads", fail)
        with pytest.raises(ArchiveError):
            write(writer, [told(1, PAUSE)])
    assert not entries(engine)
    assert not rows(engine, status)
    write(writer, [told(1, PAUSE)])
    assert len(entries(engine)) == len(rows(engine, status)) == 1


def fail(self: object) -> None:
    raise ArchiveError("no space")


def test_archive_notes_a_product_change_of_an_older_program(engine: Engine, writer: Writer) -> None:
    """Which names nobody; one that names who requested it is an entry of its own."""
    switch = PAUSE.model_copy(update={"action": "switch", "old": "cup 1", "new": "lid 1"})
    write(writer, [told(1), told(2)])
    write(writer, [told(3, product="cup")])
    write(writer, [told(4, switch), told(5)])
    first, second = entries(engine)
    assert (first.who, first.action, first.old, first.new) == ("", "product", "lid 1", "cup 1")
    assert "no request is known" in first.reason
    assert (second.who, second.action, second.old, second.new) == (
        "eva",
        "switch",
        "cup 1",
        "lid 1",
    )


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-11-02T06:00:00", "0001-01-01T00:00:00+00:00"]
)
def test_archive_keeps_an_entry_whose_time_is_none(engine: Engine, writer: Writer, at: str) -> None:
    write(writer, [told(1, PAUSE.model_copy(update={"at": at, "who": "e\0" * 5000}))])
    (entry,) = entries(engine)
    assert entry.at == entry.recorded
    assert len(entry.who) == 500


def test_archive_keeps_the_changes_of_an_event_that_it_refuses(
    engine: Engine, writer: Writer
) -> None:
    header = told(1, PAUSE).header.model_copy(update={"published_at": "yesterday"})
    collector = Collector(writer, [StationAddress("tcp://a:1")], None, "archive")
    collector._write([Received("tcp://a:1", Event(header))])
    assert len(rows(engine, refused)) == 1
    assert [entry.action for entry in entries(engine)] == ["pause"]


def test_archive_gives_its_trail_in_pages_newest_first(archive: Archive) -> None:
    for number in range(1, 8):
        assert archive.audit.record(Change("eva", "page", "login", f"user {number}")) == number
    pages = [archive.audit.newest(3)]
    while pages[-1]:
        pages.append(archive.audit.newest(3, pages[-1][-1].number))
    assert [[entry.number for entry in page] for page in pages] == [[7, 6, 5], [4, 3, 2], [1], []]
    whole, faults, head = archive.audit.verified()
    assert [entry.number for entry in whole] == [1, 2, 3, 4, 5, 6, 7]
    assert faults == []
    assert head == f"7 {whole[-1].digest}"


@pytest.mark.parametrize("page", [3, 7, 8])
def test_archive_gives_its_whole_trail_page_by_page(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("edge.archive.audit_trail.PAGE", page)
    assert list(archive.audit.entries()) == []
    for number in range(7):
        archive.audit.record(Change("eva", "page", "login", f"user {number}"))
    assert list(archive.audit.entries()) == archive.audit.verified()[0]


def test_archive_knows_the_last_event_of_each_station(archive: Archive, writer: Writer) -> None:
    assert archive.last_events() == {}
    write(writer, [running(1, "lid"), inspected(2), reported(3)])
    write(writer, [inspected(9, stream="abcdefabcdefabcd", station="line-2")], "tcp://b:1")
    write(writer, [inspected(1, stream="fedcba9876543210")])  # another log, of an earlier time
    ends = archive.last_events()
    assert {name: (at - BEGIN).total_seconds() for name, at in ends.items()} == {
        "line-1": 3,
        "line-2": 9,
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change(" ", "page", "login", "x"), "who did what"),
        (Change("eva", "page", "", "x"), "who did what"),
        (Change("eva", "page", "login", "x" * 501), "more than 500 characters"),
        (Change("eva", "page", "login", "x", happened=datetime(2026, 11, 2)), "no time zone"),
    ],
)
def test_archive_refuses_an_entry_that_says_too_little_or_too_much(
    archive: Archive, change: Change, says: str
) -> None:
    with pytest.raises(ArchiveError, match=says):
        archive.audit.record(change)
    assert archive.audit.newest() == []


def test_archive_finds_a_time_or_an_id_of_an_entry_that_was_changed(
    engine: Engine, writer: Writer
) -> None:
    write(writer, [told(1, PAUSE)])
    for values in ({"happened": 5}, {"happened": None}, {"change_id": None}, {"change_id": "x"}):
        with engine.connect() as connection:
            connection.execute(audit.update().values(values))
            assert trail.faults_of(connection) != [], values
            connection.rollback()


def test_archive_shows_how_far_it_is_with_each_station(archive: Archive, writer: Writer) -> None:
    write(writer, [inspected(1), inspected(7)])
    write(writer, [inspected(2, stream="fedcba9876543210", station="line-0")], "tcp://b:1")
    found = [(s.station, s.endpoint, s.epoch, s.head) for s in archive.streams()]
    assert found == [("line-0", "tcp://b:1", 0, 2), ("line-1", "tcp://a:1", 0, 7)]
