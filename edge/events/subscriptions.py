"""The subscriptions of a publisher's clients, and their limit.

ZeroMQ keeps whatever topics a client subscribes to, without a limit: 200,000 random ones took
700 MB. A client needs a few, so a connection that makes many is closed.
"""

import logging
import os
import socket
import stat
from contextlib import suppress

import zmq

log = logging.getLogger(__name__)

MAX_OF_A_CONNECTION = 20
MAX_TOPIC_BYTES = 64
MAX_READ = 1000  # in one call, so that a flood of them does not stop the loop


class Subscriptions:
    """Counts the subscriptions that an XPUB socket receives; belongs to its thread."""

    def __init__(self, publisher: "zmq.Socket[bytes]") -> None:
        self._publisher = publisher
        self._of_connections: dict[int, tuple[object, int]] = {}  # descriptor: (peer, number)
        self.count = 0

    def read(self) -> int:
        """How many subscriptions there are now."""
        for _ in range(MAX_READ):
            try:
                frame = self._publisher.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            change = -1 if frame.bytes[:1] == b"\x00" else 1
            self.count += change
            self._count_connection(frame, change)
        return self.count

    def _count_connection(self, frame: zmq.Frame, change: int) -> None:
        try:
            descriptor = int(frame.get("__fd"))
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return  # the connection has ended, and something else has its descriptor
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                peer = connection.getpeername()
                known, number = self._of_connections.get(descriptor, (peer, 0))
                number = max(0, number + change) if known == peer else 1
                self._of_connections[descriptor] = peer, number
                excess = number > MAX_OF_A_CONNECTION or len(frame) > 1 + MAX_TOPIC_BYTES
                if excess and self._is_ours(connection):
                    text = "%s subscribes to too many topics, or too long ones: disconnected"
                    log.warning(text, _owner(frame))
                    del self._of_connections[descriptor]
                    connection.shutdown(socket.SHUT_RDWR)
        except (zmq.ZMQError, KeyError, ValueError, OSError):
            return  # the connection has ended

    def _is_ours(self, connection: socket.socket) -> bool:
        """Whether it is a connection to this socket: another may have got its descriptor."""
        address = connection.getsockname()
        end = f":{address[1]}" if isinstance(address, tuple) else str(address)
        return self._publisher.get_string(zmq.LAST_ENDPOINT).endswith(end)


def _owner(frame: zmq.Frame) -> str:
    """Who sent a message: its key, and its address."""
    found = []
    for name in ("User-Id", "Peer-Address"):
        with suppress(zmq.ZMQError, KeyError):
            found.append(str(frame.get(name)))
    return " at ".join(found) or "a client"
