"""Real sockets: addresses that cannot be used, and waiting for subscribers."""

from threading import Event as StopEvent

import pytest

from edge.base.errors import PublishError
from edge.events.publisher import Publisher
from edge.events.sockets import Sockets
from edge.events.subscriber import events


def test_a_port_in_use_is_one_line() -> None:
    with (
        Sockets() as sockets,
        Publisher(sockets, "tcp://127.0.0.1:*") as first,
        pytest.raises(PublishError, match="cannot serve"),
    ):
        Publisher(sockets, first.endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://nonsense", "here", "tcp://127.0.0.1"])
def test_an_impossible_address_is_one_line(endpoint: str) -> None:
    with Sockets() as sockets, pytest.raises(PublishError, match="--endpoint"):
        Publisher(sockets, endpoint)
    if endpoint == "here":
        with pytest.raises(PublishError, match="--endpoint"):
            next(events(endpoint))


def test_waiting_for_subscribers_ends_at_a_stop() -> None:
    stop = StopEvent()
    stop.set()
    with Sockets() as sockets, Publisher(sockets, "tcp://127.0.0.1:*") as publisher:
        publisher.wait_for_subscribers(1, stop)
        assert publisher.subscribers == 0


def test_a_port_alone_is_no_address() -> None:
    """It must not be reported as an address of other machines, which needs keys."""
    with Sockets() as sockets, pytest.raises(PublishError, match="is no address: correct --end"):
        Publisher(sockets, "5570")
