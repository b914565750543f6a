"""Events are written once each, whatever comes twice, is lost, or is undone."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from edge.archive.batch import Received
from edge.archive.collector import Collector, StationAddress
from edge.archive.database import open_database
from edge.archive.errors import ArchiveError
from edge.archive.picture_store import PictureStore
from edge.archive.tables import (
    PictureState,
    fault,
    gap,
    inspection,
    refused,
    region,
    status,
    stream,
    tally,
)
from edge.archive.writer import Writer
from edge.events.cursor_file import Cursor
from edge.events.event import Event
from tests.support.archived import inspected, reported, rows, running, write

STREAM = "0123456789abcdef"


def test_all_kinds_of_events_are_written_and_the_cursor_follows(
    engine: Engine, writer: Writer
) -> None:
    assert writer.cursor("tcp://a:1") == Cursor("", 0)
    write(writer, [running(1, "lid"), inspected(2, verdict="NG"), reported(3), inspected(4)])
    assert writer.cursor("tcp://a:1") == Cursor(STREAM, 4)
    assert [row["seq"] for row in rows(engine, inspection)] == [2, 4]
    assert [row["seq"] for row in rows(engine, fault)] == [3]
    assert [row["state"] for row in rows(engine, status)] == ["running"]
    (found,) = rows(engine, region)
    assert (found["x"], found["y"], found["width"], found["height"]) == (10, 20, 30, 40)


def test_a_mask_is_stored_for_a_reject_and_not_for_a_good_part(
    engine: Engine, writer: Writer, store: PictureStore
) -> None:
    write(writer, [inspected(1), inspected(2, verdict="NG")])
    good, reject = rows(engine, inspection)
    assert good["mask"] is None
    assert store.get(reject["mask"]) == b"mask of 2"


def test_frames_are_asked_for_of_rejects_and_one_good_part_in_n(
    engine: Engine, store: PictureStore
) -> None:
    writer = Writer(engine, store, ok_one_in=4)
    parts = [inspected(n) for n in range(1, 9)]
    parts += [inspected(9, verdict="NG"), inspected(10, verdict="NO_VERDICT", frame_id=0)]
    write(writer, parts)
    found = {row["seq"] for row in rows(engine, inspection) if row["picture_state"]}
    assert found == {4, 8, 9}
    assert rows(engine, inspection)[3]["picture_state"] == PictureState.AWAITED


batches = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6), st.booleans()), max_size=8)


@given(batches)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_event_once_whatever_is_delivered_again_or_undone(
    tmp_path_factory: pytest.TempPathFactory, given_batches: list[tuple[int, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    engine = open_database(str(folder / "a.db"), create=True)
    writer = FailingWriter(engine, PictureStore(str(folder / "pictures")))
    head = 0
    for back, count, fails in given_batches:
        first = max(1, head + 1 - back)
        events = [_mixed(n) for n in range(first, head + count + 1)]
        if not events:
            continue
        if fails:
            with pytest.raises(ArchiveError):
                writer.fail(events)
        else:
            write(writer, events)
            head = max(head, head + count)
    seqs = [row["seq"] for table in (inspection, fault) for row in rows(engine, table)]
    assert sorted(seqs) == list(range(1, head + 1))
    counted = sum(row["count"] for row in rows(engine, tally))
    assert counted == len(rows(engine, inspection))
    engine.dispose()


def _mixed(number: int) -> Event:
    verdict = ("OK", "NG", "NO_VERDICT")[number % 3]
    return reported(number) if number % 5 == 0 else inspected(number, verdict=verdict)


class FailingWriter(Writer):
    """A writer whose transaction can fail after everything was written in it."""

    def fail(self, events: Sequence[Event]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "edge.archive.batch.Batch._write_tallies", lambda self: _raise(ArchiveError("x"))
            )
            write(self, events)


def _raise(error: Exception) -> None:
    raise error


def test_a_failed_batch_writes_nothing_not_even_names(engine: Engine, store: PictureStore) -> None:
    writer = FailingWriter(engine, store)
    with pytest.raises(ArchiveError):
        writer.fail([inspected(1), inspected(2, product="cup")])
    assert rows(engine, inspection) == rows(engine, stream) == []
    write(writer, [inspected(1), inspected(2, product="cup")])
    assert len({row["product"] for row in rows(engine, inspection)}) == 2


def test_events_that_the_station_has_deleted_are_noted_as_a_gap(
    engine: Engine, writer: Writer
) -> None:
    write(writer, [inspected(1), inspected(5)])
    write(writer, [inspected(9)])
    assert [(row["first"], row["last"]) for row in rows(engine, gap)] == [(2, 4), (6, 8)]


def test_a_restored_log_that_uses_numbers_again_loses_nothing(
    engine: Engine, writer: Writer
) -> None:
    write(writer, [inspected(n) for n in range(1, 6)])
    again = [inspected(n, captured_at=f"2026-11-03T00:00:0{n}+00:00") for n in (4, 5, 6)]
    write(writer, again)
    write(writer, again)
    assert len(rows(engine, inspection)) == 8
    assert [row["epoch"] for row in rows(engine, stream)] == [0, 1]
    assert writer.cursor("tcp://a:1") == Cursor(STREAM, 6)


def test_two_archives_may_write_the_same_station_at_once(database: str, tmp_path: Path) -> None:
    engines = [open_database(database, create=True) for _ in range(2)]
    store = PictureStore(str(tmp_path / "pictures"))
    for n in range(1, 30):
        for engine in engines:
            write(Writer(engine, store), [inspected(m) for m in range(max(1, n - 3), n + 1)])
    assert len(rows(engines[0], inspection)) == 29
    for engine in engines:
        engine.dispose()


POISON = {
    "time": {"captured_at": "yesterday"},
    "no zone": {"captured_at": "2026-11-02T06:00:00"},
    "long ago": {"captured_at": "0001-01-01T00:00:00+14:00"},
    "number": {"trigger_id": 2**70},
    "frame": {"frame_id": -(2**80)},
    "box": {"verdict": "NG", "box": (2**40, 1, 1, 1)},
    "passed over": {"passed_over": 2**40},
}
CLEANED = {
    "NUL": {"part_id": "a\0b", "roi": "r\0"},
    "long": {"part_id": "x" * 100_000},
    "surrogate": {"part_id": "a\udcfc"},
    "product": {"product": "p\0" * 5000},
    "score": {"score": 1e300, "threshold": 1e-300, "verdict": "NG"},
}


@pytest.mark.parametrize("changes", POISON.values(), ids=POISON)
def test_an_event_that_cannot_be_stored_is_refused_and_stops_no_other(
    engine: Engine, writer: Writer, changes: dict[str, Any]
) -> None:
    batch = [inspected(1), inspected(2), inspected(3, **changes), inspected(4)]
    collector = Collector(writer, [StationAddress("tcp://a:1")], None, "archive")
    collector._write([Received("tcp://a:1", event) for event in batch])
    seqs = [row["seq"] for row in rows(engine, inspection)]
    (kept,) = rows(engine, refused) if 3 not in seqs else [{"seq": 3}]  # SQLite takes more
    assert kept["seq"] == 3
    assert sorted({*seqs, 3}) == [1, 2, 3, 4]
    assert writer.cursor("tcp://a:1").seq == 4
    collector._write([Received("tcp://a:1", event) for event in batch])  # delivered again
    assert len(rows(engine, inspection)) + len(rows(engine, refused)) == 4


@pytest.mark.parametrize("changes", CLEANED.values(), ids=CLEANED)
def test_texts_and_scores_that_databases_refuse_are_made_fit(
    engine: Engine, writer: Writer, changes: dict[str, Any]
) -> None:
    write(writer, [inspected(1, **changes), inspected(2, **changes)])
    assert len(rows(engine, inspection)) == 2


def test_a_station_cannot_write_into_the_stream_of_another(
    engine: Engine, store: PictureStore, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(engine, store, endpoints=["tcp://a:1", "tcp://b:1"])
    write(writer, [inspected(1)], "tcp://a:1")
    write(writer, [inspected(1000)], "tcp://b:1")
    write(writer, [inspected(2)], "tcp://a:1")
    assert [row["seq"] for row in rows(engine, inspection)] == [1, 2]
    assert "its stream is that of tcp://a:1" in caplog.text
    write(writer, [inspected(1, stream="../../x")], "tcp://b:1")
    assert len(rows(engine, inspection)) == 2


def test_a_station_that_moved_to_another_address_goes_on(
    engine: Engine, store: PictureStore
) -> None:
    write(Writer(engine, store, endpoints=["tcp://a:1"]), [inspected(1)], "tcp://a:1")
    write(Writer(engine, store, endpoints=["tcp://b:1"]), [inspected(2)], "tcp://b:1")
    assert [row["seq"] for row in rows(engine, inspection)] == [1, 2]


def test_stations_keep_their_own_streams(engine: Engine, writer: Writer) -> None:
    write(writer, [inspected(1)], "tcp://a:1")
    write(writer, [inspected(1, stream="fedcba9876543210", station="line-2")], "tcp://b:1")
    assert Counter(row["station"] for row in rows(engine, stream)) == {"line-1": 1, "line-2": 1}
    assert writer.cursor("tcp://b:1") == Cursor("fedcba9876543210", 1)


def test_a_part_that_comes_again_is_counted_as_such(engine: Engine, writer: Writer) -> None:
    write(writer, [inspected(1, part_id="A"), inspected(2, part_id="A"), inspected(3)])
    write(writer, [inspected(4, part_id="A", verdict="NG"), inspected(5, part_id="B")])
    again = sum(row["count"] for row in rows(engine, tally) if row["again"])
    assert again == 2
