"""The receiving side: an iterator over events, which tells of gaps instead of hiding them."""

import logging
from collections.abc import Callable, Iterator

import zmq

from edge.errors import PublishError
from edge.event import Event, EventError, decode

log = logging.getLogger(__name__)

POLL_MS = 100
HIGH_WATER_MARK = 100_000


def events(endpoint: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Events from `endpoint` as they come, until `stopped()`.

    A gap in `seq` is logged with its size, a message that is no event with its reason.
    Raises PublishError for an address that cannot be used.
    """
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, HIGH_WATER_MARK)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise PublishError(
                f"cannot connect to {endpoint} ({error.strerror}): correct --endpoint, "
                "for example tcp://127.0.0.1:5570"
            ) from error
        socket.subscribe(b"")
        last: tuple[str, int] | None = None
        while not stopped():
            if not socket.poll(POLL_MS):
                continue
            try:
                event = decode(socket.recv_multipart())
            except EventError as error:
                log.warning("left out a message: %s", error)
                continue
            stream, seq = event.header.stream_id, event.header.seq
            if last and last[0] == stream and seq != last[1] + 1:
                log.warning("events %d to %d of %s were lost", last[1] + 1, seq - 1, stream)
            last = stream, seq
            yield event
