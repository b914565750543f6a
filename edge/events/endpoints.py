"""ZeroMQ addresses: tcp://HOST:PORT, with an IPv6 address in brackets, or ipc://PATH."""

import os
import re
import socket
from ipaddress import ip_address
from typing import Any

import zmq

from edge.base.errors import PublishError
from edge.base.text import printable

HOST = re.compile(r"\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[^\s:/\[\]]+")
MAX_PORT = 65535


def prepare(zmq_socket: "zmq.Socket[Any]", endpoint: str, option: str) -> None:
    """Before bind or connect: check the address, and use IPv6 where it needs that.

    Raises PublishError that names `option`.
    """
    check_endpoint(endpoint, option)
    if endpoint.startswith("tcp://"):
        host, _ = _split(endpoint.removeprefix("tcp://"))
        zmq_socket.setsockopt(zmq.IPV6, int(_needs_ipv6(host)))


def check_endpoint(endpoint: str, option: str) -> None:
    """Raise PublishError, which names `option`, for what is no address.

    ZeroMQ itself takes port 99999 as 34463.
    """
    transport, separator, rest = endpoint.partition("://")
    fix = f"correct {option}, for example tcp://127.0.0.1:5570"
    if printable(endpoint) != endpoint:
        raise PublishError(f"{endpoint} is not UTF-8, as an address must be: {fix}")
    if not separator or transport not in ("tcp", "ipc", "inproc"):
        raise PublishError(f"{endpoint} is no address: {fix}")
    if transport == "ipc" and not 0 < len(os.fsencode(rest)) <= zmq.IPC_PATH_MAX_LEN:
        raise PublishError(
            f"the path of {endpoint[:100]} has not 1 to {zmq.IPC_PATH_MAX_LEN} bytes: {fix}"
        )
    if transport != "tcp":
        return
    if rest.count(":") > 1 and not re.search(r"[\[@]", rest):
        raise PublishError(f"{endpoint} needs brackets around its IPv6 address: {fix}, [::1]:5570")
    host, port = _split(rest)
    if not port:
        raise PublishError(f"{endpoint} has no port: {fix}")
    if not HOST.fullmatch(host):
        raise PublishError(f"{endpoint} names no machine: {fix}")
    if port != "*" and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) <= MAX_PORT):
        raise PublishError(f"{endpoint} has no port between 1 and {MAX_PORT}: {fix}")


def is_local(endpoint: str) -> bool:
    """Whether only this machine can connect to an address."""
    transport, _, rest = endpoint.partition("://")
    if transport in ("ipc", "inproc"):
        return True
    host = _split(rest)[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # a host name, an interface or *: may not be local


def _split(rest: str) -> tuple[str, str]:
    """Host and port; the port is empty where there is none."""
    host, _, port = rest.rpartition(":")
    return (host, port) if host and "]" not in port else (rest, "")


def _needs_ipv6(host: str) -> bool:
    """An IPv6 address, or a name without an IPv4 address: for others, sockets are as before."""
    if host.startswith("["):
        return True
    if host == "*" or any(host == name for _, name in socket.if_nameindex()):
        return False
    try:
        socket.getaddrinfo(host, None, socket.AF_INET)
    except (OSError, UnicodeError):  # a name such as a..b
        pass
    else:
        return False
    try:
        return bool(socket.getaddrinfo(host, None, socket.AF_INET6))
    except (OSError, UnicodeError):
        return False
