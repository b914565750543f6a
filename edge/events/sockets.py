"""The server sockets of a station, in one ZeroMQ context, and the check of who connects."""

import errno
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.access_list import AccessList
from edge.events.endpoints import is_local, prepare

LINGER_MS = 1000
HEARTBEAT_MS = 1000
DOMAIN = "draem"


BIND_FIXES = {
    errno.EADDRINUSE: "stop the program that uses it",
    errno.EADDRNOTAVAIL: "give this machine that address",
    errno.ENODEV: "give this machine that address",
    errno.EACCES: "permit this user to use it (a port below 1024, or the folder of a socket),",
    errno.EMFILE: "allow more open files ('ulimit -n', LimitNOFILE in a unit)",
}


class Sockets(Closeable):
    """Makes bound sockets. With an access list they are encrypted, and only its clients connect.

    Without one only this machine may connect.
    """

    def __init__(self, access: AccessList | None = None) -> None:
        self.access = access
        self._context = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        if access is not None:
            self._authenticator = ThreadAuthenticator(self._context)
            self._authenticator.start()
            self._authenticator.configure_curve_callback(DOMAIN, access)

    def serve(
        self, kind: int, endpoint: str, option: str, options: dict[int, int]
    ) -> "zmq.Socket[bytes]":
        """A bound socket with ZeroMQ `options`. Raises PublishError that names `option`."""
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        try:
            self._bind(socket, endpoint, option, options)
        except PublishError:
            socket.close(0)
            raise
        return socket

    def _bind(
        self, socket: "zmq.Socket[bytes]", endpoint: str, option: str, options: dict[int, int]
    ) -> None:
        prepare(socket, endpoint, option)
        if self.access is None and not is_local(endpoint):
            raise PublishError(
                f"{endpoint} can be reached from other machines, and has no keys: run "
                f"'draem keys make server', then start again with '--keys keys' (or choose an "
                f"address of this machine alone with {option}, as tcp://127.0.0.1:5570)"
            )
        defaults = {zmq.LINGER: LINGER_MS, zmq.HEARTBEAT_IVL: HEARTBEAT_MS}
        for name, value in (defaults | options).items():
            socket.setsockopt(name, value)
        if self.access is not None:
            socket.curve_server = True
            socket.curve_secretkey = self.access.pair.secret.encode()
            socket.zap_domain = DOMAIN.encode()
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # refuse all if nothing authenticates
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            fix = BIND_FIXES.get(error.errno or 0, "correct it")
            raise PublishError(
                f"cannot serve on {endpoint} ({error.strerror}): {fix} or choose another {option}"
            ) from error

    def close(self) -> None:
        if self._authenticator is not None and self._authenticator.is_alive():
            self._authenticator.stop()
        self._authenticator = None
        self._context.destroy(LINGER_MS)


def bound_address(socket: "zmq.Socket[Any]") -> str:
    """The address of a bound socket, with its port."""
    return socket.get_string(zmq.LAST_ENDPOINT)
