"""The server sockets of a station, in one ZeroMQ context, and the check of who connects."""

from ipaddress import ip_address
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from edge.base.closeable import Closeable
from edge.base.errors import PublishError
from edge.events.access_list import AccessList

LINGER_MS = 1000
HEARTBEAT_MS = 1000
DOMAIN = "draem"


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
        if "://" not in endpoint:
            raise PublishError(
                f"{endpoint} is no address: correct {option}, for example tcp://127.0.0.1:5570"
            )
        if self.access is None and not is_local(endpoint):
            raise PublishError(
                f"{endpoint} can be reached from other machines, and has no keys: run "
                f"'draem keys make server', then start again with '--keys keys' (or choose a "
                f"127.0.0.1 address with {option})"
            )
        socket: zmq.Socket[bytes] = self._context.socket(kind)
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
            socket.close(0)
            raise PublishError(
                f"cannot serve on {endpoint} ({error.strerror}): stop the program that uses it "
                f"or choose another {option}"
            ) from error
        return socket

    def close(self) -> None:
        if self._authenticator is not None and self._authenticator.is_alive():
            self._authenticator.stop()
        self._authenticator = None
        self._context.destroy(LINGER_MS)


def is_local(endpoint: str) -> bool:
    """Whether only this machine can connect to an address."""
    transport, _, rest = endpoint.partition("://")
    if transport in ("ipc", "inproc"):
        return True
    host = rest.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # a host name, an interface or *: may not be local


def bound_address(socket: "zmq.Socket[Any]") -> str:
    """The address of a bound socket, with its port."""
    return socket.get_string(zmq.LAST_ENDPOINT)
