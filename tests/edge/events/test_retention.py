"""Retention: by age and size, with the events that a bridge has yet to acknowledge."""

from datetime import datetime
from pathlib import Path

import pytest

from edge.events.cursors import Cursors
from edge.events.journal import TRIM_EVENTS, Journal
from edge.events.retention import Retention, RetentionLimits
from edge.station.event_writer import EventWriter
from tests.support.event_log import logged, tick
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents

KB = 1024


def inspect_all(writer: EventWriter, first: int, last: int) -> None:
    for trigger in range(first, last + 1):
        inspect(writer, trigger)


def not_seen_for_years(cursors: Cursors) -> None:
    cursors._execute("UPDATE cursors SET seen_at = '2020-01-01T00:00:00+00:00'")


def test_log_keeps_what_a_bridge_has_not_acknowledged(tmp_path: Path) -> None:
    """A watcher's cursor keeps nothing, nor does a bridge's of another stream."""
    sink = RecordedEvents()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1e-9, grace_s=0)
        writer = EventWriter("s", PRODUCT, journal, sink, Retention(journal, cursors, limits))
        inspect_all(writer, 1, 150)
        cursors.acknowledge("screen", "watch", journal.stream_id, 5)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 90)
        cursors.acknowledge("old", "bridge", "another stream", 1)
        for _ in range(10):
            tick(writer)
        assert [h.seq for h in logged(tmp_path)] == list(range(91, 151))
        cursors.acknowledge("plc", "bridge", journal.stream_id, 150)
        for _ in range(10):
            tick(writer)
        assert [h.seq for h in logged(tmp_path)] == [150], "the last one keeps the numbers"
        assert [c.name for c in cursors.all()] == ["old", "plc", "screen"]
    assert sink.faults == []
    with Journal(tmp_path) as journal:
        assert (journal.head, journal.inspection_id, journal.trigger_id) == (150, 150, 150)


def test_log_keeps_events_that_are_young_enough(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1, grace_s=0)
        writer = EventWriter(
            "s", PRODUCT, journal, RecordedEvents(), Retention(journal, cursors, limits)
        )
        inspect_all(writer, 1, 10)
        tick(writer)
    assert len(logged(tmp_path)) == 10


def test_nothing_is_too_old_soon_after_the_start(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1e-9, grace_s=600)
        writer = EventWriter(
            "s", PRODUCT, journal, RecordedEvents(), Retention(journal, cursors, limits)
        )
        inspect_all(writer, 1, 10)
        tick(writer)
    assert len(logged(tmp_path)) == 10


@pytest.mark.parametrize("reason", ["age", "size"])
def test_the_cursor_of_a_bridge_that_is_down_is_dropped_and_reported(
    tmp_path: Path, reason: str
) -> None:
    sink = RecordedEvents()
    limits = RetentionLimits(mb=0.1)
    if reason == "age":
        limits = RetentionLimits(days=1e-9, cursor_days=1e-9, grace_s=0)
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        writer = EventWriter("s", PRODUCT, journal, sink, Retention(journal, cursors, limits))
        inspect_all(writer, 1, 250)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 10)
        if reason == "age":
            not_seen_for_years(cursors)
        for _ in range(20):
            tick(writer)
        assert cursors.all() == []
        assert journal.size() < 150 * KB if reason == "size" else len(logged(tmp_path)) == 1
    assert [fault.code.name for fault in sink.faults] == ["cursor_dropped"]
    assert "plc" in sink.faults[0].message
    assert ("MB" if reason == "size" else "not seen since 2020") in sink.faults[0].message


def test_a_silent_bridge_is_dropped_even_if_nothing_is_due_for_deletion(tmp_path: Path) -> None:
    sink = RecordedEvents()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        retention = Retention(journal, cursors, RetentionLimits(grace_s=0))
        writer = EventWriter("s", PRODUCT, journal, sink, retention)
        inspect(writer, 1)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 1)
        not_seen_for_years(cursors)
        tick(writer)
    assert [fault.code.name for fault in sink.faults] == ["cursor_dropped"]


def test_no_bridge_is_dropped_because_a_clock_was_set(tmp_path: Path) -> None:
    """A bridge that runs, or had no time yet to connect, is not silent for years."""
    sink = RecordedEvents()
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        writer = EventWriter(
            "s", PRODUCT, journal, sink, Retention(journal, cursors, RetentionLimits())
        )
        inspect_all(writer, 1, 20)
        cursors.acknowledge("plc", "bridge", journal.stream_id, 10)
        not_seen_for_years(cursors)
        for _ in range(3):
            tick(writer)
        assert [c.name for c in cursors.all()] == ["plc"]
    assert sink.faults == []
    assert len(logged(tmp_path)) == 20


def test_trimming_ends_when_its_time_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it does not stop the loop: with no time at all, one transaction is done."""
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        retention = Retention(journal, cursors, RetentionLimits(days=1e-9, grace_s=0))
        inspect_all(EventWriter("s", PRODUCT, journal, RecordedEvents()), 1, 150)
        monkeypatch.setattr("edge.events.retention.BUDGET_S", 0)
        retention.trim()
        assert journal.oldest() == TRIM_EVENTS + 1
        monkeypatch.setattr("edge.events.retention.BUDGET_S", 3600)
        retention.trim()
        assert journal.oldest() == journal.head


def set_wall_clock(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    """Give events this time as their `published_at`."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls.fromisoformat(time)

    monkeypatch.setattr("edge.events.logged_writer.datetime", Clock)


@pytest.mark.parametrize("first", ["2099-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"])
def test_log_never_has_a_gap_when_clocks_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """By size the lowest numbers are deleted, whatever their times; by age none after a younger."""
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1, mb=0.08, grace_s=0)
        writer = EventWriter(
            "s", PRODUCT, journal, RecordedEvents(), Retention(journal, cursors, limits)
        )
        set_wall_clock(monkeypatch, first)
        inspect_all(writer, 1, 50)
        monkeypatch.undo()
        inspect_all(writer, 51, 200)
        for _ in range(20):
            tick(writer)
        assert journal.size() < 100 * KB
    seqs = [h.seq for h in logged(tmp_path)]
    assert seqs == list(range(seqs[0], 201))
    assert seqs[0] > 50


def test_events_after_a_younger_one_are_not_deleted_by_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal, Cursors(tmp_path) as cursors:
        limits = RetentionLimits(days=1, grace_s=0)
        writer = EventWriter(
            "s", PRODUCT, journal, RecordedEvents(), Retention(journal, cursors, limits)
        )
        for time, last in (("1970-01-01", 3), ("2099-01-01", 4), ("1970-01-02", 6)):
            set_wall_clock(monkeypatch, f"{time}T00:00:00+00:00")
            inspect_all(writer, journal.head + 1, last)
        tick(writer)
    assert [h.seq for h in logged(tmp_path)] == [4, 5, 6]
