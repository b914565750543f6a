"""Events of the log on request: a thread that reads the log and answers, and touches nothing else.

A request is one JSON object: `{"request": "page", "after": 1200, "limit": 100}`. The answer to a
page is a JSON header, then three parts for each event as they were published. Whatever cannot be
answered gets an error that says why, never silence.
"""

import logging
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread
from typing import Literal

import zmq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.closing import Closing
from edge.errors import PublishError
from edge.journal import JournalError, Message, Reader

log = logging.getLogger(__name__)

POLL_MS = 100
LINGER_MS = 500
LARGEST_PAGE = 1000
LARGEST_REQUEST = 4096


class Page(BaseModel):
    """Ask for up to `limit` events after event `after`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    request: Literal["page"]
    after: int = Field(ge=0, lt=2**63)
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)


class PageHeader(BaseModel):
    """What an answer begins with: the stream, its newest event, and how many follow."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["page"] = "page"
    stream_id: str
    head: int
    count: int


class Refusal(BaseModel):
    """Why a request has no answer, and what to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["error"] = "error"
    message: str


class Replay(Closing):
    """Answers at `endpoint` from the log in `folder` until it is closed.

    Raises PublishError for an address that cannot be used.
    """

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._folder, self._stop = folder, StopEvent()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, LINGER_MS)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._socket.set(zmq.MAXMSGSIZE, LARGEST_REQUEST)
        self._socket.set(zmq.SNDTIMEO, POLL_MS)
        self._thread = Thread(target=self._answer_all, name="replay", daemon=True)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(0)
            raise PublishError(
                f"cannot answer on {endpoint} ({error.strerror}): stop the program that uses it "
                "or choose another --replay"
            ) from error
        self.endpoint = self._socket.get_string(zmq.LAST_ENDPOINT)
        self._thread.start()

    def _answer_all(self) -> None:
        with Reader(self._folder) as reader:
            while not self._stop.is_set():
                if self._socket.poll(POLL_MS):
                    *route, request = self._socket.recv_multipart()
                    self._send([*route, *answer(request, reader)])

    def _send(self, parts: list[bytes]) -> None:
        """One slow or vanished peer must not hold up the others: it will ask again."""
        try:
            self._socket.send_multipart(parts)
        except zmq.ZMQError as error:
            log.info("an answer could not be sent: %s", error)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._context.destroy(LINGER_MS)


def answer(request: bytes, reader: Reader) -> Message:
    """The parts of an answer; a Refusal for what is no request."""
    try:
        asked = Page.model_validate_json(request)
        messages = reader.page(asked.after, asked.limit)
        header = PageHeader(stream_id=reader.stream_id, head=reader.head(), count=len(messages))
    except (ValidationError, JournalError) as error:
        text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return [Refusal(message=f"{text}; see docs/events.md").model_dump_json().encode()]
    return [header.model_dump_json().encode(), *(part for message in messages for part in message)]
