"""The server sockets of a station, in one ZeroMQ context, and the check of who connects."""

import errno
import socket
from contextlib import suppress
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from edge.base import tcp
from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.access_list import AccessList
from edge.events.endpoints import is_local, prepare

LINGER_MS = 1000
CONNECT_S = 1.0
# No heartbeats of ZeroMQ: libzmq 4.3.5 aborts the process where one is due on a connection that was
# reset while its input queue was full. TCP's keepalive and timeout notice a peer that has gone.
OPTIONS: dict[int, int] = {
    zmq.LINGER: LINGER_MS,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: tcp.IDLE_S,
    zmq.TCP_KEEPALIVE_INTVL: tcp.INTERVAL_S,
    zmq.TCP_KEEPALIVE_CNT: tcp.PROBES,
    zmq.TCP_MAXRT: tcp.DEAD_AFTER_MS,
}
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
        made: zmq.Socket[bytes] = self._context.socket(kind)
        try:
            self._bind(made, endpoint, option, options)
        except PublishError:
            made.close(0)
            raise
        return made

    def _bind(
        self, made: "zmq.Socket[bytes]", endpoint: str, option: str, options: dict[int, int]
    ) -> None:
        prepare(made, endpoint, option)
        if self.access is None and not is_local(endpoint):
            raise PublishError(
                f"{endpoint} can be reached from other machines, and has no keys: run "
                f"'draem keys make server', then start again with '--keys keys' (or choose an "
                f"address of this machine alone with {option}, as tcp://127.0.0.1:5570)"
            )
        for name, value in (OPTIONS | options).items():
            made.setsockopt(name, value)
        if self.access is not None:
            made.curve_server = True
            made.curve_secretkey = self.access.pair.secret.encode()
            made.zap_domain = DOMAIN.encode()
            made.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # refuse all if nothing authenticates
        try:
            refuse_served(endpoint)
            made.bind(endpoint)
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


def refuse_served(endpoint: str) -> None:
    """Raise ZMQError where a program listens on a socket file: ZeroMQ would take the file over."""
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or path.startswith(("@", "*")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(CONNECT_S)
        tried.connect(path)
        raise zmq.ZMQError(errno.EADDRINUSE)


def bound_address(bound: "zmq.Socket[Any]") -> str:
    """The address of a bound socket, with its port."""
    return bound.get_string(zmq.LAST_ENDPOINT)
