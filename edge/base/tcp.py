"""TCP keepalive: a peer that was switched off, or whose cable was pulled, is noticed.

Such a peer sends no end of its connection: without these options Linux keeps it for two hours, and
what was sent to it for a quarter of one.
"""

import socket
from typing import Any

IDLE_S, INTERVAL_S, PROBES = 5, 5, 2
DEAD_AFTER_MS = (IDLE_S + INTERVAL_S * PROBES) * 1000
"""After so long a peer that does not answer is disconnected, also while data waits for it."""


def keep_alive(connection: Any) -> None:
    """Turn keepalive on for a TCP connection.

    Set on a listening socket, those that it accepts inherit it.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
