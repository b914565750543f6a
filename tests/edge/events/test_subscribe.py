"""Subscribers over real sockets: each gets every event once, whatever was lost on the way."""

import json
import shutil
from pathlib import Path

import pytest
import zmq

from edge.events.client import service_endpoint
from edge.events.cursor_file import Cursor, read_cursor, write_cursor
from edge.events.journal import DATABASE_NAME
from edge.events.journal_reader import JournalReader
from edge.events.replay_server import serve_replay
from edge.events.sockets import Sockets
from tests.support.event_log import tick
from tests.support.logging_line import ANY_PORT, Subscriber, delete_log, line
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a silence is noticed soon."""
    monkeypatch.setattr("edge.events.subscriber.QUIET_S", 0.1)
    monkeypatch.setattr("edge.events.subscriber.STALE_S", 0.5)
    monkeypatch.setattr("edge.events.subscriber.ANSWER_MS", 500)


def test_events_lost_between_two_others_are_requested(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.events.subscriber.QUIET_S", 1e6)
    with line(tmp_path / "log") as station, Subscriber(station.addresses) as subscriber:
        station.wait_for_subscriber()
        station.write(10)
        station.publisher.send([b"rubbish"])
        station.write(450, lost=True)  # more than two pages
        station.write(1)
        subscriber.wait_for(461)
    assert subscriber.seqs == list(range(1, 462))
    assert "ignored a message" in caplog.text
    assert subscriber.texts("gap") == ["events 11 to 461 are requested"]


def test_last_events_are_requested_if_no_later_message_comes(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station, Subscriber(station.addresses) as subscriber:
        station.wait_for_subscriber()
        station.write(3)
        station.write(2, lost=True)
        subscriber.wait_for(5)
    assert subscriber.seqs == [1, 2, 3, 4, 5]


def test_a_heartbeat_shows_that_the_last_event_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.events.subscriber.QUIET_S", 1e6)
    with line(tmp_path / "log") as station, Subscriber(station.addresses) as subscriber:
        station.wait_for_subscriber()
        station.write(1)
        station.write(1, lost=True)
        tick(station.writer)
        subscriber.wait_for(2)
    assert subscriber.seqs == [1, 2]


def test_a_cursor_continues_from_the_first_event_through_restarts_of_both_sides(
    tmp_path: Path,
) -> None:
    cursor = tmp_path / "cursor"
    with line(tmp_path / "log") as station:
        addresses = station.addresses
        station.write(450)
        with Subscriber(addresses, cursor) as first:
            first.wait_for(450)
        assert first.seqs == list(range(1, 451))
        station.write(5)
    with Subscriber(addresses, cursor) as second:  # the line is down
        with line(tmp_path / "log", addresses) as station:
            station.write(5)
            second.wait_for(460)
        with line(tmp_path / "log", addresses) as station:
            station.write(2)
            second.wait_for(462)
    assert second.seqs[0] in (450, 451), "an event is processed when the next one is requested"
    assert second.seqs == list(range(second.seqs[0], 463))


def test_another_log_is_read_from_its_first_event(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station:
        addresses = station.addresses
        station.write(30)
        with Subscriber(addresses, tmp_path / "cursor") as subscriber:
            subscriber.wait_for(30)
    delete_log(tmp_path / "log")
    with (
        line(tmp_path / "log", addresses) as station,
        Subscriber(addresses, tmp_path / "cursor") as subscriber,
    ):
        station.write(4)
        subscriber.wait_for(4)
    assert subscriber.seqs == [1, 2, 3, 4]
    assert "another log" in subscriber.wait_for_notice("new-stream")


def test_no_event_is_skipped_while_the_log_does_not_answer(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station:
        silent = f"ipc://{tmp_path}/silent"
        station.write(5, lost=True)
        addresses = (station.publisher.endpoint, silent)
        with Subscriber(addresses, tmp_path / "cursor") as subscriber:
            station.wait_for_subscriber()
            station.write(1)
            assert "no answer from ipc://" in subscriber.wait_for_notice("unanswered")
            assert subscriber.seqs == []
            with Sockets() as sockets, serve_replay(sockets, silent, tmp_path / "log"):
                subscriber.wait_for(6)
                tick(station.writer)
                subscriber.wait_for_notice("answered")
    assert subscriber.seqs == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "request_",
    [b"", b"rubbish", b"{}", b'{"request":"page"}', b'{"request":"page","after":-1}', b"[1]",
     b'{"request":"page","after":0,"limit":100000}', b'{"request":"open","after":0}',
     b'{"request":"page","after":0,"more":1}', b"\xff" * 50],
    ids=range(10),
)  # fmt: skip
def test_a_malformed_request_is_answered_with_an_error(request_: bytes, tmp_path: Path) -> None:
    with line(tmp_path / "log") as station, zmq.Context() as context:
        station.write(2)
        with context.socket(zmq.DEALER) as client:
            client.set(zmq.RCVTIMEO, 30_000)
            client.connect(station.replay.endpoint)
            client.send(request_)
            refusal = json.loads(client.recv_multipart()[0])
            assert refusal["reply"] == "error"
            assert "docs/events.md" in refusal["message"]
            client.send(b'{"request":"page","after":1,"limit":5}')
            header = json.loads(client.recv_multipart()[0])
            assert (header["reply"], header["head"], header["count"]) == ("page", 2, 1)


def test_replay_answers_a_req_socket(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station, zmq.Context() as context:
        station.write(3)
        with context.socket(zmq.REQ) as client:
            client.connect(station.replay.endpoint)
            client.send_json({"request": "page", "after": 0, "limit": 2})
            header, *parts = client.recv_multipart()
    assert json.loads(header)["count"] == 2
    assert len(parts) == 6


def test_a_cursor_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    assert read_cursor(path) is None
    write_cursor(path, Cursor("a", 7))
    assert read_cursor(path) == Cursor("a", 7)
    assert [p.name for p in tmp_path.iterdir()] == ["cursor"]


def test_services_have_the_ports_after_the_publishers() -> None:
    assert service_endpoint("tcp://127.0.0.1:5570") == "tcp://127.0.0.1:5571"
    assert service_endpoint("tcp://127.0.0.1:5570", "control") == "tcp://127.0.0.1:5572"
    assert service_endpoint("tcp://127.0.0.1:5570", "live") == "tcp://127.0.0.1:5573"
    assert service_endpoint("ipc:///run/draem") == "ipc:///run/draem.replay"
    assert service_endpoint(ANY_PORT, "control") == ANY_PORT


def test_without_a_cursor_a_subscriber_begins_with_the_next_event(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station:
        station.write(20)
        with Subscriber(station.addresses) as subscriber:
            station.wait_for_subscriber()
            station.write(3)
            subscriber.wait_for(23)
    assert subscriber.seqs == [21, 22, 23]


def test_heartbeats_repeats_and_silence_are_reported(tmp_path: Path) -> None:
    with (
        line(tmp_path / "log") as station,
        Subscriber(station.addresses, tmp_path / "cursor") as subscriber,
    ):
        station.wait_for_subscriber()
        tick(station.writer)
        subscriber.wait_for_notice("heartbeat")
        station.write(3)
        subscriber.wait_for(3)
        with JournalReader(tmp_path / "log") as reader:
            station.publisher.send(reader.page(1, 1)[0])
        wait_until(lambda: "event 2 came again" in subscriber.texts("repeat"), "a notice repeat")
        already = len(subscriber.texts("stale"))  # a busy machine may have been silent before
        wait_until(lambda: len(subscriber.texts("stale")) > already, "a notice stale")
        tick(station.writer)
        wait_until(lambda: len(subscriber.texts("back")) > already, "a notice back")
    assert subscriber.seqs == [1, 2, 3]
    heartbeat = next(n.heartbeat for n in subscriber.notices if n.heartbeat)
    assert (heartbeat.state, heartbeat.head) == ("running", 0)
    kinds = [n.kind for n in subscriber.notices if n.kind in ("stale", "back")]
    assert set(kinds[::2]) == {"stale"}
    assert set(kinds[1::2]) == {"back"}


def test_events_that_were_deleted_before_they_were_requested_are_reported(tmp_path: Path) -> None:
    with line(tmp_path / "log") as station:
        station.write(120)
        station.journal.trim(100, None)
        with Subscriber(station.addresses, tmp_path / "cursor") as subscriber:
            subscriber.wait_for(120)
    assert subscriber.seqs == list(range(51, 121))
    assert subscriber.texts("gone") == ["events 1 to 50 were deleted from the log"]


def test_a_restored_log_is_reported_and_its_new_events_are_received(tmp_path: Path) -> None:
    """Its numbers are used again, for other events."""
    with line(tmp_path / "log") as station:
        addresses = station.addresses
        station.write(5)
    shutil.copy(tmp_path / "log" / DATABASE_NAME, tmp_path / "backup")
    with line(tmp_path / "log", addresses) as station:
        station.write(20)
        with Subscriber(addresses, tmp_path / "cursor") as subscriber:
            subscriber.wait_for(25)
    delete_log(tmp_path / "log")
    shutil.copy(tmp_path / "backup", tmp_path / "log" / DATABASE_NAME)
    with (
        line(tmp_path / "log", addresses) as station,
        Subscriber(addresses, tmp_path / "cursor") as subscriber,
    ):
        assert "restored: it ends at event 5, not at 25" in subscriber.wait_for_notice("new-stream")
        station.write(3)
        wait_until(lambda: subscriber.seqs[-3:] == [6, 7, 8], "the new events")


def test_a_subscriber_to_the_newest_events_skips_older_ones(tmp_path: Path) -> None:
    with line(tmp_path) as station, Subscriber(station.addresses, newest=5) as subscriber:
        station.wait_for_subscriber()
        station.write(1)
        subscriber.wait_for(1)
        station.write(100, lost=True)
        station.write(1)
        subscriber.wait_for(102)
    assert subscriber.seqs == [1, 98, 99, 100, 101, 102]
    assert subscriber.texts("skipped") == ["events 2 to 97 are skipped: they are too old"]
