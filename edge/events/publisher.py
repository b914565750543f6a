"""The publishing socket: messages are sent without waiting for any subscriber."""

from threading import Event as StopEvent

import zmq

from edge.base.closeable import Closeable
from edge.events.sockets import Sockets, bound_address
from edge.events.subscriptions import Subscriptions

OPTIONS: dict[int, int] = {
    zmq.SNDHWM: 10_000,
    zmq.RCVHWM: 8,  # or a flood of subscriptions would be processed in one call
    zmq.XPUB_VERBOSER: 1,
    zmq.MAXMSGSIZE: 1024,  # only handshakes (some 300 bytes) and subscriptions come in
}
LIVE_OPTIONS: dict[int, int] = {
    zmq.SNDHWM: 4,  # old pictures have no value
    zmq.XPUB_VERBOSER: 0,  # whether there are subscribers, not how many
}


class Publisher(Closeable):
    """Binds one endpoint and sends; a context manager that belongs to one thread.

    An XPUB socket is a PUB that also receives the subscriptions, so that a start can wait for them.
    Raises PublishError for an address that cannot be used.
    """

    def __init__(
        self,
        sockets: Sockets,
        endpoint: str,
        option: str = "--endpoint",
        options: dict[int, int] | None = None,
    ) -> None:
        self._socket = sockets.serve(zmq.XPUB, endpoint, option, OPTIONS | (options or {}))
        self.endpoint = bound_address(self._socket)
        self._subscriptions = Subscriptions(self._socket)

    def send(self, parts: list[bytes]) -> None:
        """Send a message to every subscriber without waiting; ZeroMQ drops what one cannot take."""
        self.count_subscribers()
        self._socket.send_multipart(parts, zmq.NOBLOCK)

    def wait_for_subscribers(self, count: int, stop: StopEvent) -> None:
        """Return once there are `count` subscriptions, or `stop` is set."""
        while self.count_subscribers() < count and not stop.is_set():
            self._socket.poll(50)

    def count_subscribers(self) -> int:
        """How many subscriptions there are now."""
        return self._subscriptions.read()

    def close(self) -> None:
        self._socket.close()
