"""Real sockets: every event arrives once a subscriber is known, and a gap is told."""

from dataclasses import dataclass
from threading import Event as StopEvent

import pytest

from edge.errors import PublishError
from edge.event import Code
from edge.journal import Journal
from edge.publish import Publisher
from edge.stream import Stream
from edge.subscribe import events


@dataclass(frozen=True)
class Kept:
    """An outlet that keeps what it is given."""

    messages: list[list[bytes]]

    def send(self, parts: list[bytes]) -> None:
        self.messages.append(parts)


def test_a_port_in_use_is_one_line() -> None:
    with (
        Publisher("tcp://127.0.0.1:*") as first,
        pytest.raises(PublishError, match="cannot publish"),
    ):
        Publisher(first.endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://nonsense", "here", "tcp://127.0.0.1"])
def test_an_impossible_address_is_one_line(endpoint: str) -> None:
    with pytest.raises(PublishError, match="--endpoint"):
        Publisher(endpoint)
    if endpoint == "here":
        with pytest.raises(PublishError, match="--endpoint"):
            next(events(endpoint))


def test_events_arrive_in_order_and_gaps_are_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[list[bytes]] = []
    stream = Stream("station-1", Journal(None), Kept(told))
    for i in range(20):
        stream.fault(Code.CAMERA, str(i))
    with Publisher("tcp://127.0.0.1:*") as publisher:
        received = events(publisher.endpoint)
        from threading import Thread

        got: list[int] = []
        thread = Thread(target=lambda: got.extend(next(received).header.seq for _ in range(17)))
        thread.start()
        publisher.wait_for_subscribers(1, StopEvent())
        assert publisher.subscribers == 1
        for message in told[:10] + told[13:]:
            publisher.send(message)
        publisher.send([b"rubbish"])
        thread.join(10)
    assert got == [*range(1, 11), *range(14, 21)]
    assert "events 11 to 13" in caplog.text


def test_waiting_ends_when_told_to_stop() -> None:
    stop = StopEvent()
    stop.set()
    with Publisher("tcp://127.0.0.1:*") as publisher:
        publisher.wait_for_subscribers(1, stop)
        assert publisher.subscribers == 0
