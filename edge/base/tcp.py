"""TCP keepalive: a server notices a peer that was switched off or whose cable was pulled."""

import socket

IDLE_S, INTERVAL_S, PROBES = 10, 5, 3
DEAD_AFTER_MS = (IDLE_S + INTERVAL_S * PROBES) * 1000
"""After so long a peer that does not answer is disconnected, also while data waits for it."""


def keep_alive(connection: socket.socket) -> None:
    """Turn keepalive on for an accepted TCP connection, or for a listening socket's connections."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
