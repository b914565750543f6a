"""Asking the log of a station for what is missing, page by page, and telling it how far one is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import zmq
from pydantic import BaseModel, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.cursors import Role
from edge.events.event import Event, EventError, decode
from edge.events.keys import Credentials
from edge.events.notices import Notice, Notify
from edge.events.replay_server import Acknowledge, CursorsReply, Page, PageHeader

PAGE = 200
ANSWER_MS = 2000


@dataclass(frozen=True)
class Cursor:
    """The last event that was dealt with; `seq` 0 is before the first."""

    stream_id: str
    seq: int


class NoAnswer(Exception):
    """The peer did not answer in time, or not as agreed."""


class RequestClient(Closeable):
    """Asks a ROUTER of the line, and waits `answer_ms` at most for each answer.

    Raises PublishError for an address that cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | None,
        option: str,
        answer_ms: int = ANSWER_MS,
    ) -> None:
        self._endpoint, self._credentials, self._option = endpoint, credentials, option
        self._answer_ms = answer_ms
        self._context = zmq.Context()
        self._socket = self._fresh()

    def _fresh(self) -> zmq.Socket[bytes]:
        """A socket without the answer that came too late for the last question."""
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDTIMEO, self._answer_ms)  # a client that was refused has nobody to send to
        try:
            connect(socket, self._endpoint, self._option, self._credentials)
        except PublishError:
            self._context.destroy(0)
            raise
        return socket

    def after(self, place: Cursor, notify: Notify) -> Iterator[Event | Cursor]:
        """All events after `place` to the head. A new log is read from its first.

        A cursor among them is where the reading begins again. Raises NoAnswer.
        """
        seq = place.seq
        while True:
            header, found = self._page(seq)
            if place.stream_id not in ("", header.stream_id):
                text = f"the log was begun anew (stream {header.stream_id}): read from its first"
                notify(Notice("new-stream", text))
                place, seq = Cursor(header.stream_id, 0), 0
                yield place
                continue
            if header.head < seq:
                text = f"the log has gone back from event {seq} to {header.head}: it was restored"
                notify(Notice("new-stream", text))
                seq = header.head
                yield Cursor(header.stream_id, seq)
            place = Cursor(header.stream_id, seq)
            for event in found:
                if event.header.seq != seq + 1:
                    gone = f"events {seq + 1} to {event.header.seq - 1} are gone from the log"
                    notify(Notice("gone", gone))
                yield event
                seq = event.header.seq
            if seq >= header.head:
                return

    def acknowledge(self, name: str, role: Role, cursor: Cursor) -> None:
        """Tell the log how far `name` has come. Raises NoAnswer."""
        asked = Acknowledge(cursor=name, role=role, stream_id=cursor.stream_id, seq=cursor.seq)
        try:
            CursorsReply.model_validate_json(self.ask(asked)[0])
        except ValidationError as error:
            raise NoAnswer("the cursor was not acknowledged") from error

    def _page(self, after: int) -> tuple[PageHeader, list[Event]]:
        first, *parts = self.ask(Page(after=after, limit=PAGE))
        try:
            header = PageHeader.model_validate_json(first)
            messages = [parts[i : i + 3] for i in range(0, len(parts), 3)]
            return header, [decode(message) for message in messages]
        except (ValidationError, EventError) as error:
            raise NoAnswer(first.decode(errors="replace")) from error

    def ask(self, question: BaseModel) -> list[bytes]:
        """One question, one answer. Raises NoAnswer."""
        try:
            self._socket.send(question.model_dump_json().encode())
            if self._socket.poll(self._answer_ms):
                return self._socket.recv_multipart()
        except zmq.Again:
            pass
        self._socket.close()
        self._socket = self._fresh()
        raise NoAnswer(f"no answer from {self._endpoint} within {self._answer_ms} ms")

    def close(self) -> None:
        self._context.destroy(0)


Service = Literal["replay", "control", "live"]
SERVICES: tuple[Service, ...] = ("replay", "control", "live")


def service_endpoint(endpoint: str, service: Service = "replay") -> str:
    """Where a service is unless told otherwise: one to three ports above the publisher's."""
    head, _, port = endpoint.rpartition(":")
    if endpoint.startswith("tcp://") and port.isdecimal():
        return f"{head}:{int(port) + 1 + SERVICES.index(service)}"
    return endpoint if endpoint.endswith(":*") else f"{endpoint}.{service}"


def connect(
    socket: "zmq.Socket[bytes]", endpoint: str, option: str, credentials: Credentials | None
) -> None:
    """Raises PublishError that names the option to correct."""
    try:
        if credentials is not None:
            credentials.apply(socket)
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise PublishError(
            f"cannot connect to {endpoint} ({error.strerror}): correct {option}, "
            "for example tcp://127.0.0.1:5570"
        ) from error
