"""The PUB side: events leave without waiting for anybody."""

from threading import Event as StopEvent

import zmq

from edge.base.closeable import Closeable
from edge.events.sockets import Sockets, bound_address

OPTIONS: dict[int, int] = {
    zmq.SNDHWM: 10_000,
    zmq.XPUB_VERBOSER: 1,
    zmq.MAXMSGSIZE: 1024,  # all that may come in is a handshake (some 300 bytes) or a subscription
}
LIVE_OPTIONS: dict[int, int] = {
    zmq.SNDHWM: 4,  # old pictures are worth nothing
    zmq.XPUB_VERBOSER: 0,  # whether anybody looks, not how many
}
AT_ONCE = 100  # subscriptions looked at in one call: a flood of them must not hold up the loop


class Publisher(Closeable):
    """Binds one endpoint and sends; a context manager. One thread owns it.

    An XPUB socket is a PUB that also tells who subscribes, so that nobody has to sleep and hope.
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
        self.subscribers = 0

    def send(self, parts: list[bytes]) -> None:
        """Hand a message to every subscriber, never waiting; ZeroMQ drops what one cannot take."""
        self.count_subscribers()
        self._socket.send_multipart(parts, zmq.NOBLOCK)

    def wait_for_subscribers(self, count: int, stop: StopEvent) -> None:
        """Return once `count` subscriptions have arrived, or `stop` is set."""
        while self.count_subscribers() < count and not stop.is_set():
            self._socket.poll(50)

    def count_subscribers(self) -> int:
        """How many subscriptions there are now."""
        for _ in range(AT_ONCE):
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            self.subscribers += {b"\x01": 1, b"\x00": -1}.get(message[:1], 0)
        return self.subscribers

    def close(self) -> None:
        self._socket.close()
