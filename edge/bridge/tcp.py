"""Connections of bridges that never deliver what is too old."""

import socket
import struct
from typing import Any

from edge.base.tcp import keep_alive

UNSENT_MS = 500


def drop_stale_data(connection: Any) -> None:
    """As `keep_alive`, and never send what a broken connection has not taken in half a second."""
    keep_alive(connection)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
