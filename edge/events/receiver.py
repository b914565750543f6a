"""Messages as they are published, reconnecting when the line is silent."""

import logging
import time
from collections.abc import Callable, Iterator

import zmq

from edge.events.client import connect
from edge.events.encoding import EventError, decode_live
from edge.events.event import Event, Heartbeat
from edge.events.keys import Credentials

log = logging.getLogger(__name__)

POLL_MS = 100
HIGH_WATER_MARK = 100_000
HEARTBEAT_MS = 1000
RECONNECT_S = 5.0


def live(
    endpoint: str,
    stopped: Callable[[], bool] = lambda: False,
    credentials: Credentials | None = None,
) -> Iterator[Event | Heartbeat | None]:
    """Messages until `stopped()`, and None for each tenth of a second without one.

    What cannot be decoded is logged and ignored. Raises PublishError for an address that cannot be
    used.
    """
    with zmq.Context() as context:
        while not stopped():
            yield from _until_silent(context, endpoint, stopped, credentials)


def _until_silent(
    context: "zmq.Context[zmq.Socket[bytes]]",
    endpoint: str,
    stopped: Callable[[], bool],
    credentials: Credentials | None,
) -> Iterator[Event | Heartbeat | None]:
    """The messages of one connection: ZeroMQ does not retry one whose key was refused."""
    with context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, HIGH_WATER_MARK)
        socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        connect(socket, endpoint, "--endpoint", credentials)
        socket.subscribe(b"")
        received_at = time.monotonic()
        while not stopped() and time.monotonic() < received_at + RECONNECT_S:
            if not socket.poll(POLL_MS):
                yield None
                continue
            try:
                yield decode_live(socket.recv_multipart())
            except EventError as error:
                log.warning("ignored a message: %s", error)
            received_at = time.monotonic()
