"""Hosts and ports: which are this machine, can be listened on, and are IPv4."""

import errno
import ipaddress
import socket

from edge.base.errors import SettingsError


def is_here(host: str) -> bool:
    """Whether an address, or localhost, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_listen(host: str, port: int) -> None:
    """Raise SettingsError where a server cannot listen there: the protocols' libraries hide why."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reasons = {
        errno.EADDRINUSE: "another program (perhaps a bridge) has it: stop that one",
        errno.EADDRNOTAVAIL: "no network card of this machine has this address: correct it",
        errno.EACCES: "a port below 1024 needs root's rights: permit them",
    }
    try:
        socket.create_server(socket.getaddrinfo(host, port)[0][4], family=family).close()
    except OSError as error:
        why = reasons.get(error.errno or 0, f"{error.strerror}: correct it")
        raise SettingsError(
            f"cannot listen on {in_address(host)}:{port}, {why}, or choose another --listen"
        ) from error


def in_address(host: str) -> str:
    """A host before a colon and a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def ipv4(host: str, what: str) -> str:
    """Raises SettingsError for an IPv6 address, which `what` has none of."""
    if ":" in host:
        raise SettingsError(f"{host} is an IPv6 address, and {what} IPv4 address is needed")
    return host
