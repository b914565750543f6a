"""The PUB side: events leave without waiting for anybody."""

from threading import Event as StopEvent

import zmq

from edge.closing import Closing
from edge.errors import PublishError

LINGER_MS = 1000
HIGH_WATER_MARK = 10_000
HEARTBEAT_MS = 1000


class Publisher(Closing):
    """Binds one endpoint and sends; a context manager. One thread owns it.

    An XPUB socket is a PUB that also tells who subscribes, so that nobody has to sleep and hope.
    """

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.set(zmq.LINGER, LINGER_MS)
        self._socket.set(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self._socket.set(zmq.XPUB_VERBOSER, 1)
        self.subscribers = 0
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise PublishError(
                f"cannot publish on {endpoint} ({error.strerror}): stop the program that uses it "
                "or choose another --endpoint"
            ) from error

    @property
    def endpoint(self) -> str:
        """The bound address, its port filled in."""
        return self._socket.get_string(zmq.LAST_ENDPOINT)

    def send(self, parts: list[bytes]) -> None:
        """Hand a message to every subscriber, never waiting; ZeroMQ drops what one cannot take."""
        self._count_subscribers()
        self._socket.send_multipart(parts, zmq.NOBLOCK)

    def wait_for_subscribers(self, count: int, stop: StopEvent) -> None:
        """Return once `count` subscriptions have arrived, or `stop` is set."""
        while self.subscribers < count and not stop.is_set():
            self._socket.poll(50)
            self._count_subscribers()

    def _count_subscribers(self) -> None:
        while True:
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.subscribers += {b"\x01": 1, b"\x00": -1}.get(message[:1], 0)

    def close(self) -> None:
        self._context.destroy(LINGER_MS)
