"""A server for requests from other programs, on its own thread: for the log and for control.

A request is one JSON object. One that cannot be answered gets an error with the reason, and no
request can stop the line.
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
from edge.base.validation import reason
from edge.events.cursors import Role
from edge.events.sockets import Sockets, bound_address

log = logging.getLogger(__name__)

POLL_MS = 100
MAX_REQUEST_BYTES = 4096
OPTIONS: dict[int, int] = {
    zmq.ROUTER_MANDATORY: 1,
    zmq.MAXMSGSIZE: MAX_REQUEST_BYTES,
    zmq.SNDHWM: 2,  # replies that a client does not take; it has one request at a time
    zmq.SNDTIMEO: 0,  # other clients must not wait for it
}


@dataclass(frozen=True)
class Peer:
    """Who sent a request: name and role of its key; without keys, an operator on this machine."""

    name: str = ""
    role: Role = "operator"


RequestHandler = Callable[[bytes, Peer], list[bytes]]
"""(request, peer) -> the parts of the reply; raises ValidationError or DraemError."""


class ErrorReply(BaseModel):
    """Why a request was refused, and how to fix it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: str = "error"
    message: str
    station: str = ""


class NotAllowed(DraemError):
    """The peer's role does not permit this request."""


class RequestServer(Closeable):
    """Answers at `endpoint` until it is closed.

    `open_handler` is entered on the server's thread, so that it may open an SQLite database.
    Raises PublishError for an address that cannot be used.
    """

    def __init__(
        self,
        sockets: Sockets,
        endpoint: str,
        option: str,
        open_handler: Callable[[], AbstractContextManager[RequestHandler]],
        station: str = "",
    ) -> None:
        self._station = station
        self._access, self._open, self._stop = sockets.access, open_handler, StopEvent()
        self._socket = sockets.serve(zmq.ROUTER, endpoint, option, OPTIONS)
        self.endpoint = bound_address(self._socket)
        self._thread = Thread(target=self._run, name=option.strip("-"), daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._socket, self._open() as handle:
            while not self._stop.is_set():
                if self._socket.poll(POLL_MS):
                    frames = self._socket.recv_multipart(copy=False)
                    *route, request = (frame.bytes for frame in frames)
                    self._send([*route, *self._reply(handle, request, frames[-1])])

    def _reply(self, handle: RequestHandler, request: bytes, frame: zmq.Frame) -> list[bytes]:
        try:
            return handle(request, self._peer(frame))
        except ValidationError as error:
            text = f"{reason(error.errors()[0])}; see docs/events.md"
        except DraemError as error:
            text = str(error)
        except Exception as error:  # one request that fails must not end the answers to others
            log.exception("a request could not be answered")
            text = f"the program failed ({type(error).__name__}): see its log"
        return [ErrorReply(message=text, station=self._station).model_dump_json().encode()]

    def _peer(self, frame: zmq.Frame) -> Peer:
        """The owner of the connection's key, checked at each request: it may be revoked now."""
        if self._access is None:
            return Peer()
        known = self._access.client(str(frame.get("User-Id")))
        if known is None:
            raise NotAllowed("this key is no longer listed: see 'draem keys list'")
        return Peer(*known)

    def _send(self, parts: list[bytes]) -> None:
        """Send, or drop the reply of a client that has gone or does not take its replies."""
        try:
            self._socket.send_multipart(parts)
        except zmq.ZMQError as error:
            log.warning("a reply could not be sent: %s", error)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def require_role(peer: Peer, *roles: Role) -> None:
    """Raise NotAllowed unless the peer has one of the roles."""
    if peer.role not in roles:
        allowed = " or ".join(roles)
        raise NotAllowed(f"the role {peer.role} may not request this: use a key of role {allowed}")
