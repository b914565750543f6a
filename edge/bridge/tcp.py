"""Options of TCP sockets: a vanished peer is noticed, and nothing old is sent.

A peer without power, or behind a cut cable, sends no end of its connection: without these options
Linux keeps it for two hours, and what was sent to it for a quarter of one.
"""

import socket
import struct
from typing import Any

UNSENT_MS = 500
VANISHED_S = 15


def keep_alive(connection: Any) -> None:
    """End a connection whose peer has been silent to probes, or to data, for VANISHED_S.

    Set on a listening socket, those that it accepts inherit it.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, VANISHED_S // 3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, VANISHED_S // 3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * VANISHED_S)


def drop_stale_data(connection: Any) -> None:
    """As `keep_alive`, and never send what a broken connection has not taken in half a second."""
    keep_alive(connection)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
