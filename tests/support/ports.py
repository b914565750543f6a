"""Free TCP ports for the servers of a test."""

import os
import socket
from itertools import cycle, islice

# Below the ports that Linux gives to clients (from 32768). Parallel test processes begin far apart.
FIRST, COUNT = 20_000, 12_000
_start = os.getpid() * 1009 % COUNT
_ports = cycle([FIRST + (_start + i) % COUNT for i in range(COUNT)])


def free_ports(count: int) -> list[int]:
    """Consecutive ports on which nothing listens now; each call returns others than before."""
    while True:
        ports = list(islice(_ports, count))
        if ports[-1] - ports[0] == count - 1 and all(map(_is_free, ports)):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
