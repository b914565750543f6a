"""The receiving side: events in order and without a gap, whatever was lost on the way.

Live events come from the publisher. What is missing between two of them, and what a late start, a
restart or a full queue has swallowed, is asked for from the log (`edge.replay`).
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq
from pydantic import ValidationError

from edge.closing import Closing
from edge.errors import PublishError
from edge.event import Event, EventError, decode
from edge.replay import Page, PageHeader

log = logging.getLogger(__name__)

POLL_MS = 100
HIGH_WATER_MARK = 100_000
PAGE = 200
ANSWER_MS = 2000
QUIET_S = 1.0  # after so long without a live event the log is asked whether one was missed


@dataclass(frozen=True)
class Cursor:
    """The last event that was dealt with; `seq` 0 is before the first."""

    stream_id: str
    seq: int


class NoAnswer(Exception):
    """The log did not answer in time, or not as agreed."""


def live(endpoint: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event | None]:
    """Events as they are published, and None for each tenth of a second without one.

    What is no event is logged with its reason. Raises PublishError for an address that cannot be
    used.
    """
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, HIGH_WATER_MARK)
        _connect(socket, endpoint, "--endpoint")
        socket.subscribe(b"")
        while not stopped():
            if not socket.poll(POLL_MS):
                yield None
                continue
            try:
                yield decode(socket.recv_multipart())
            except EventError as error:
                log.warning("left out a message: %s", error)


def events(
    endpoint: str,
    cursor_file: Path | None = None,
    *,
    replay: str | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Every event once and in order, until `stopped()`.

    With a `cursor_file` it goes on after the last event that was dealt with (an event counts as
    dealt with when the next one is asked for), from the log's first where there is no file yet;
    without one it begins with the present. `replay` is where the log answers, by default beside
    `endpoint`. While the log cannot be asked nothing is skipped: it is asked again.
    Raises PublishError for an address that cannot be used.
    """
    place = read_cursor(cursor_file)
    with Asking(replay or beside(endpoint)) as asking:
        quiet_since = time.monotonic()
        for event in live(endpoint, stopped):
            if event is None and time.monotonic() - quiet_since < QUIET_S:
                continue
            quiet_since = time.monotonic()
            place = place or _begin(event, cursor_file is not None)
            try:
                for missing in _up_to(event, place, asking):
                    yield missing
                    place = Cursor(missing.header.stream_id, missing.header.seq)
                    write_cursor(cursor_file, place)
            except NoAnswer as error:
                log.warning("events cannot be asked for (%s): trying again", error)


def _begin(event: Event | None, from_the_first: bool) -> Cursor | None:
    """Where to begin without a cursor: before this live event, or before the log's first."""
    if from_the_first:
        return Cursor("", 0)
    return None if event is None else Cursor(event.header.stream_id, event.header.seq - 1)


def _up_to(event: Event | None, place: Cursor | None, asking: "Asking") -> Iterator[Event]:
    """What comes after `place`: the live event itself where it is the next, else from the log."""
    if place is None:
        return
    if event is not None and event.header.stream_id == place.stream_id:
        if event.header.seq == place.seq + 1:
            yield event
            return
        if event.header.seq <= place.seq:
            return  # a repeat
        log.info("events %d to %d are asked for", place.seq + 1, event.header.seq - 1)
    yield from asking.after(place)


class Asking(Closing):
    """Asks the log at `endpoint`, page by page."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._context = zmq.Context()
        self._socket = self._fresh()

    def _fresh(self) -> zmq.Socket[bytes]:
        """A socket without the answer that came too late for the last question."""
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        try:
            _connect(socket, self._endpoint, "--endpoint or --replay")
        except PublishError:
            self._context.destroy(0)
            raise
        return socket

    def after(self, place: Cursor) -> Iterator[Event]:
        """All events after `place` to the head. A new log is read from its first.

        Raises NoAnswer.
        """
        seq = place.seq
        while True:
            header, found = self._page(seq)
            if place.stream_id not in ("", header.stream_id):
                log.warning(
                    "the log was begun anew (stream %s): read from its first", header.stream_id
                )
                place, seq = Cursor(header.stream_id, 0), 0
                continue
            place = Cursor(header.stream_id, seq)
            if found and found[0].header.seq != seq + 1:
                log.error("events %d to %d are gone from the log", seq + 1, found[0].header.seq - 1)
            yield from found
            seq = found[-1].header.seq if found else seq
            if seq >= header.head:
                return

    def _page(self, after: int) -> tuple[PageHeader, list[Event]]:
        self._socket.send(Page(request="page", after=after, limit=PAGE).model_dump_json().encode())
        if not self._socket.poll(ANSWER_MS):
            self._socket.close()
            self._socket = self._fresh()
            raise NoAnswer(f"no answer from {self._endpoint} within {ANSWER_MS} ms")
        first, *parts = self._socket.recv_multipart()
        try:
            header = PageHeader.model_validate_json(first)
            messages = [parts[i : i + 3] for i in range(0, len(parts), 3)]
            return header, [decode(message) for message in messages]
        except (ValidationError, EventError) as error:
            raise NoAnswer(first.decode(errors="replace")) from error

    def close(self) -> None:
        self._context.destroy(0)


def beside(endpoint: str) -> str:
    """Where the log answers unless told otherwise: the port above the publisher's."""
    head, _, port = endpoint.rpartition(":")
    if endpoint.startswith("tcp://") and port.isdecimal():
        return f"{head}:{int(port) + 1}"
    return endpoint if endpoint.endswith(":*") else f"{endpoint}.replay"


def read_cursor(path: Path | None) -> Cursor | None:
    """The kept cursor, None where there is none yet. Raises PublishError for another file."""
    if path is None or not path.exists():
        return None
    try:
        return Cursor(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise PublishError(
            f"{path} is no cursor: remove it to begin with the log's first event"
        ) from error


def write_cursor(path: Path | None, cursor: Cursor) -> None:
    """By rename, so that a kill at any moment leaves this one or the one before."""
    if path is None:
        return
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(asdict(cursor)), encoding="utf-8")
    temporary.replace(path)


def _connect(socket: "zmq.Socket[bytes]", endpoint: str, option: str) -> None:
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise PublishError(
            f"cannot connect to {endpoint} ({error.strerror}): correct {option}, "
            "for example tcp://127.0.0.1:5570"
        ) from error
