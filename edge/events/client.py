"""The client of a station's request sockets: pages of the log, cursors, control."""

import time
from collections.abc import Callable, Iterator
from typing import Literal

import zmq
from pydantic import BaseModel, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.cursor_file import Cursor
from edge.events.cursors import Role
from edge.events.encoding import EventError, decode
from edge.events.endpoints import MAX_PORT, check_endpoint, prepare
from edge.events.event import Event
from edge.events.keys import Credentials
from edge.events.notices import Notice, Notify
from edge.events.replay_server import (
    Acknowledge,
    CursorsReply,
    Frames,
    FramesHeader,
    Page,
    PageHeader,
)

PAGE_EVENTS = 200
ANSWER_MS = 2000
TURN_MS = 1000

Service = Literal["replay", "control", "live"]
SERVICES: tuple[Service, ...] = ("replay", "control", "live")


class NoAnswer(Exception):
    """The station did not answer in time, or not as documented."""


class RequestClient(Closeable):
    """Sends requests to a station and waits at most `answer_ms` for each answer.

    Raises PublishError, which names `option`, for an address that cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | None,
        option: str,
        answer_ms: int = ANSWER_MS,
    ) -> None:
        self.endpoint, self._credentials, self._option = endpoint, credentials, option
        self._answer_ms = answer_ms
        self.head, self.read_s = 0, 0.0
        """The newest event of the log when a page was last read, and when that was (monotonic)."""
        self._context = zmq.Context()
        self._socket = self._new_socket()

    def _new_socket(self) -> zmq.Socket[bytes]:
        """A socket without late answers to earlier requests."""
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDTIMEO, self._answer_ms)  # or a refused client would wait for a peer
        try:
            connect(socket, self.endpoint, self._option, self._credentials)
        except PublishError:
            self._context.destroy(0)
            raise
        return socket

    @property
    def with_key(self) -> bool:
        """Whether it connects with a key, which the station may refuse."""
        return self._credentials is not None

    def ask(
        self,
        request: BaseModel,
        answer_ms: int | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> list[bytes]:
        """Send one request and return the parts of its answer.

        `meanwhile` is called once a second; what it raises ends the request. Raises NoAnswer.
        """
        limit_ms = self._answer_ms if answer_ms is None else answer_ms
        try:
            self._socket.send(request.model_dump_json(exclude_none=True).encode())
            if self._is_answered(limit_ms, meanwhile):
                return self._socket.recv_multipart()
        except zmq.Again:
            pass
        except BaseException:
            self._connect_anew()
            raise
        self._connect_anew()
        raise NoAnswer(f"no answer from {self.endpoint} within {limit_ms} ms")

    def _is_answered(self, limit_ms: int, meanwhile: Callable[[], object]) -> bool:
        """Wait for an answer, at most so long."""
        end = time.monotonic() + limit_ms / 1000
        while True:
            left_ms = max(0, round((end - time.monotonic()) * 1000))
            if self._socket.poll(min(left_ms, TURN_MS)):
                return True
            if left_ms <= TURN_MS:
                return False
            meanwhile()

    def _connect_anew(self) -> None:
        self._socket.close()
        self._socket = self._new_socket()

    def events_after(self, cursor: Cursor, notify: Notify) -> Iterator[Event | Cursor]:
        """All events after the cursor up to the newest; those of another stream from its first.

        A cursor among them is where reading goes on, if that is another place. Raises NoAnswer.
        """
        seq = cursor.seq
        while True:
            header, found = self.page(seq)
            if cursor.stream_id not in ("", header.stream_id):
                text = f"another log (stream {header.stream_id}): it is read from its first event"
                notify(Notice("new-stream", text))
                cursor, seq = Cursor(header.stream_id, 0), 0
                yield cursor
                continue
            if header.head < seq:
                text = f"the log was restored: it ends at event {header.head}, not at {seq}"
                notify(Notice("new-stream", text))
                seq = header.head
                yield Cursor(header.stream_id, seq)
            if not found and seq < header.head:
                raise NoAnswer(f"the log ends at {header.head}, but gives no event after {seq}")
            cursor = Cursor(header.stream_id, seq)
            for event in found:
                if event.header.seq != seq + 1:
                    missing = f"events {seq + 1} to {event.header.seq - 1}"
                    notify(Notice("gone", f"{missing} were deleted from the log"))
                yield event
                seq = event.header.seq
            if seq >= header.head:
                return

    def page(self, after: int, limit: int = PAGE_EVENTS) -> tuple[PageHeader, list[Event]]:
        """At most `limit` events after a number, and what the log has. Raises NoAnswer."""
        first, *parts = self.ask(Page(after=after, limit=limit))
        try:
            header = PageHeader.model_validate_json(first)
            messages = [parts[i : i + 3] for i in range(0, len(parts), 3)]
            found = [decode(message) for message in messages]
            self.head, self.read_s = header.head, time.monotonic()
            return header, found
        except (ValidationError, EventError) as error:
            raise NoAnswer(first.decode(errors="replace")) from error

    def frames(
        self,
        stream_id: str,
        inspection_ids: list[int],
        answer_ms: int | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> dict[int, bytes]:
        """Kept frames as PNG by id; those missing are not kept, or did not fit into the reply.

        `answer_ms` and `meanwhile` are those of `ask`. Raises NoAnswer.
        """
        try:
            request = Frames(stream_id=stream_id, inspection_ids=inspection_ids)
            first, *parts = self.ask(request, answer_ms, meanwhile)
            found = FramesHeader.model_validate_json(first).inspection_ids
            return {n: data for n, data in zip(found, parts, strict=True) if n in inspection_ids}
        except ValueError as error:  # pydantic's too
            raise NoAnswer(f"frames of {stream_id!r} are not answered ({error})") from error

    def acknowledge(self, name: str, role: Role, cursor: Cursor) -> None:
        """Report to the log how far `name` has come. Raises NoAnswer."""
        stream_id, seq = cursor.stream_id, cursor.seq
        try:
            request = Acknowledge(cursor=name, role=role, stream_id=stream_id, seq=seq)
            reply = self.ask(request)[0]
        except ValidationError as error:
            raise NoAnswer(f"the cursor '{name}' cannot be sent ({error})") from error
        try:
            CursorsReply.model_validate_json(reply)
        except ValidationError as error:
            text = reply.decode(errors="replace")[:200]
            raise NoAnswer(f"the log refused the cursor: {text}") from error

    def close(self) -> None:
        self._context.destroy(0)


def service_endpoint(endpoint: str, service: Service = "replay") -> str:
    """The default address of a service: one to three ports above the publisher's.

    Raises PublishError where there is no such port.
    """
    check_endpoint(endpoint, "--endpoint")
    head, _, port = endpoint.rpartition(":")
    if endpoint.startswith("tcp://") and port.isdecimal():
        number = int(port) + 1 + SERVICES.index(service)
        if number > MAX_PORT:
            raise PublishError(
                f"{endpoint} leaves no port above it for --{service}: choose a port below "
                f"{MAX_PORT - len(SERVICES)}, as tcp://127.0.0.1:5570"
            )
        return f"{head}:{number}"
    return endpoint if endpoint.endswith(":*") else f"{endpoint}.{service}"


def connect(
    socket: "zmq.Socket[bytes]", endpoint: str, option: str, credentials: Credentials | None
) -> None:
    """Connect, with keys if there are any. Raises PublishError that names `option`."""
    prepare(socket, endpoint, option)
    try:
        if credentials is not None:
            credentials.apply(socket)
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise PublishError(
            f"cannot connect to {endpoint} ({error.strerror}): correct {option}, "
            "for example tcp://127.0.0.1:5570"
        ) from error
