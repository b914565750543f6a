"""Real sockets: addresses that cannot be used, and waiting for subscribers."""

from threading import Event as StopEvent

import pytest

from edge.errors import PublishError
from edge.publish import Publisher
from edge.subscribe import events


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


def test_waiting_ends_when_told_to_stop() -> None:
    stop = StopEvent()
    stop.set()
    with Publisher("tcp://127.0.0.1:*") as publisher:
        publisher.wait_for_subscribers(1, stop)
        assert publisher.subscribers == 0
