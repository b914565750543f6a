"""Questions from other programs, answered by a thread of its own: for the log and for control.

A question is one JSON object. Whatever cannot be answered gets an error that says why, never
silence; and nothing that is asked can stop the line.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event as StopEvent
from threading import Thread

import zmq
from pydantic import BaseModel, ConfigDict, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.events.cursors import Role
from edge.events.sockets import Sockets, bound_address

log = logging.getLogger(__name__)

POLL_MS = 100
LARGEST_REQUEST = 4096
OPTIONS: dict[int, int] = {
    zmq.ROUTER_MANDATORY: 1,
    zmq.MAXMSGSIZE: LARGEST_REQUEST,
    zmq.SNDTIMEO: POLL_MS,
}


@dataclass(frozen=True)
class Peer:
    """Who asks: the name and role of its listed key; without keys, this machine's operator."""

    name: str = ""
    role: Role = "operator"


RequestHandler = Callable[[bytes, Peer], list[bytes]]
"""(request, peer) -> the parts of the answer; raises ValidationError or DraemError."""


class ErrorReply(BaseModel):
    """Why a request has no answer, and what to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: str = "error"
    message: str


class NotAllowed(DraemError):
    """The peer's role may not ask this."""


class RequestServer(Closeable):
    """Answers at `endpoint` until it is closed; `open_answers` is entered on its own thread.

    Raises PublishError for an address that cannot be used.
    """

    def __init__(
        self,
        sockets: Sockets,
        endpoint: str,
        option: str,
        open_answers: Callable[[], AbstractContextManager[RequestHandler]],
    ) -> None:
        self._guard, self._open, self._stop = sockets.guard, open_answers, StopEvent()
        self._socket = sockets.serve(zmq.ROUTER, endpoint, option, OPTIONS)
        self.endpoint = bound_address(self._socket)
        self._thread = Thread(target=self._answer_all, name=option.strip("-"), daemon=True)
        self._thread.start()

    def _answer_all(self) -> None:
        with self._socket, self._open() as answers:
            while not self._stop.is_set():
                if self._socket.poll(POLL_MS):
                    frames = self._socket.recv_multipart(copy=False)
                    *route, request = (frame.bytes for frame in frames)
                    self._send([*route, *self._answer(answers, request, frames[-1])])

    def _answer(self, answers: RequestHandler, request: bytes, frame: zmq.Frame) -> list[bytes]:
        try:
            return answers(request, self._peer(frame))
        except ValidationError as error:
            text = f"{error.errors()[0]['msg']}; see docs/events.md"
        except DraemError as error:
            text = str(error)
        except Exception as error:  # one bad question must not silence the answers to all others
            log.exception("a request could not be answered")
            text = f"the program failed ({type(error).__name__}): see its log"
        return [ErrorReply(message=text).model_dump_json().encode()]

    def _peer(self, frame: zmq.Frame) -> Peer:
        """Whose key the connection has, asked anew each time: who was struck off is refused."""
        if self._guard is None:
            return Peer()
        known = self._guard.client(str(frame.get("User-Id")))
        if known is None:
            raise NotAllowed("this key is not listed any longer: see 'draem keys'")
        return Peer(*known)

    def _send(self, parts: list[bytes]) -> None:
        """One slow or vanished peer must not hold up the others: it will ask again."""
        try:
            self._socket.send_multipart(parts)
        except zmq.ZMQError as error:
            log.info("an answer could not be sent: %s", error)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def require_role(peer: Peer, *roles: Role) -> None:
    """Raise NotAllowed for any other role."""
    if peer.role not in roles:
        raise NotAllowed(f"the role {peer.role} may not ask this: it takes {' or '.join(roles)}")
