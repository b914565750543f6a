"""Requests of a bridge to the line's control socket: one thread sends them in turn.

Beginning a request does not block: its `outcome` is replaced once, when it has ended.
"""

import logging
import threading
from abc import abstractmethod
from dataclasses import dataclass, field
from enum import IntEnum
from queue import SimpleQueue
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.events.client import NoAnswer
from edge.events.server import ErrorReply

log = logging.getLogger(__name__)

CLOSE_S = 3.0


class Failure(IntEnum):
    """Why a command or a trigger was not carried out. Numbers never change their meaning."""

    NONE = 0
    NO_COMMAND = 1  # there is no such command
    UNKNOWN = 2  # the table has no such number
    BUSY = 3  # another product is being loaded
    NO_ANSWER = 4  # the line does not answer, or its events do not follow
    REFUSED = 5  # the line refused; the log has its message
    STALE = 6  # the command was written before the bridge was started
    TOO_LATE = 7  # the part of a trigger has passed
    REPEATED = 8  # a trigger with the id of the one before


class Failed(Exception):
    """A request has failed, and why."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class LineClient(Protocol):
    """Where requests are sent: `edge.events.client.RequestClient`, or a simulated line."""

    def ask(self, question: BaseModel) -> list[bytes]:
        """Raises NoAnswer."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What became of a request."""

    state: Literal["loading", "done", "failed"] = "loading"
    failure: Failure = Failure.NONE
    message: str = ""


@dataclass(eq=False, kw_only=True)
class LineRequest:
    """One request to the line."""

    outcome: Outcome = field(default_factory=Outcome)

    @property
    def under_way(self) -> bool:
        return self.outcome.state == "loading"


Sent = TypeVar("Sent", bound=LineRequest)
Reply = TypeVar("Reply", bound=BaseModel)


class LineRequests(Closeable, Generic[Sent]):
    """The thread `name`, which carries out what is put into the queue; it owns the client."""

    if_no_answer = "is the line running?"

    def __init__(self, name: str, line: LineClient) -> None:
        self._line = line
        self._queue: SimpleQueue[Sent | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def _carry_out(self, request: Sent) -> str:
        """Return the line's own message, if any. Raises Failed, NoAnswer and other errors."""

    @abstractmethod
    def _not_done(self, request: Sent) -> str:
        """What does not happen if the request fails, for the log."""

    def _fail(self, request: Sent, failure: Failure, message: str) -> Sent:
        """Log the failure, and end the request with it."""
        log.warning("%s: %s", self._not_done(request), message)
        request.outcome = Outcome("failed", failure, message)
        return request

    def _work(self) -> None:
        while (request := self._queue.get()) is not None:
            try:
                request.outcome = Outcome("done", message=self._carry_out(request))
            except Failed as error:
                self._fail(request, error.failure, str(error))
            except NoAnswer as error:
                self._fail(request, Failure.NO_ANSWER, f"{error}: {self.if_no_answer}")
            except Exception as error:  # the request ends, and the next can be sent
                if not isinstance(error, DraemError):
                    log.exception("unexpected error in a request to the line")
                self._fail(request, Failure.REFUSED, str(error))
        self._line.close()

    def close(self) -> None:
        """Wait for what is in the queue, but not for long."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)


def parse_reply(kind: type[Reply], message: list[bytes]) -> Reply:
    """Raises Failed with the line's message if it refuses, and NoAnswer if it is no line."""
    try:
        return kind.model_validate_json(message[0])
    except ValidationError:
        pass
    try:
        raise Failed(Failure.REFUSED, ErrorReply.model_validate_json(message[0]).message)
    except ValidationError:
        raise NoAnswer("what answers is no line: correct --control") from None
