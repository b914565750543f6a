"""Real sockets: addresses that cannot be used, and waiting for subscribers."""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from threading import Event as StopEvent

import pytest
import zmq

from edge.base import tcp
from edge.base.errors import PublishError
from edge.events.publisher import Publisher
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from tests.support.waiting import wait_until

KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
]


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
        assert publisher.count_subscribers() == 0


def test_a_port_alone_is_no_address() -> None:
    """It must not be reported as an address of other machines, which needs keys."""
    with Sockets() as sockets, pytest.raises(PublishError, match="is no address: correct --end"):
        Publisher(sockets, "5570")


@pytest.mark.parametrize(("kind", "client"), [(zmq.XPUB, zmq.SUB), (zmq.ROUTER, zmq.DEALER)])
def test_connections_to_a_server_have_tcp_keepalive(kind: int, client: int) -> None:
    """A peer that was switched off leaves no connection behind."""
    with Sockets() as sockets, zmq.Context() as context, context.socket(client) as peer:
        peer.set(zmq.LINGER, 0)
        server = sockets.serve(kind, "tcp://127.0.0.1:*", "--endpoint", {})
        address = server.get_string(zmq.LAST_ENDPOINT)
        port = int(address.rpartition(":")[2])
        peer.connect(address)
        wait_until(lambda: accepted(port), "a connection")
        expected = [1, tcp.IDLE_S, tcp.INTERVAL_S, tcp.PROBES, tcp.DEAD_AFTER_MS]
        assert accepted(port) == [expected]
        server.close()


def test_keepalive_for_servers_of_other_protocols() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        tcp.keep_alive(listening)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == tcp.IDLE_S


def accepted(port: int) -> list[list[int]]:
    """The options of this process's accepted connections at a port."""
    found = []
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd") if is_socket(name)]:
        with socket.socket(fileno=os.dup(descriptor)) as connection, suppress(OSError, IndexError):
            if connection.getsockname()[1] == port and connection.getpeername():
                values = [connection.getsockopt(level, name) for level, name in KEEPALIVE]
                found.append(values)
    return found


def is_socket(name: str) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.fstat(int(name)).st_mode)
    return False


def test_a_socket_file_of_a_running_station_is_not_taken_over(tmp_path: Path) -> None:
    """ZeroMQ would replace the file, and both stations would go on."""
    endpoint = f"ipc://{tmp_path}/events"
    with Sockets() as sockets, Sockets() as others, zmq.Context() as context:
        with Publisher(sockets, endpoint) as first:
            with pytest.raises(PublishError, match="stop the program that uses it"):
                Publisher(others, endpoint)
            with context.socket(zmq.SUB) as subscriber:
                subscriber.set(zmq.LINGER, 0)
                subscriber.connect(endpoint)
                subscriber.subscribe(b"")
                wait_until(lambda: first.count_subscribers() == 1, "the first is still reached")
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(f"{tmp_path}/killed")
        with Publisher(others, f"ipc://{tmp_path}/killed"):
            pass
