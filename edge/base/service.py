"""Messages to systemd, for a unit of Type=notify with WatchdogSec: sd_notify(3).

Outside of such a unit nothing is sent.
"""

import contextlib
import os
import socket
import time

FEED_S = 0.5


def notify(state: str) -> None:
    """Send states such as READY=1, one a line; one that cannot be sent at once is dropped."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
    ):
        sender.sendto(state.encode(), address)


class Watchdog:
    """Shows systemd that a loop runs: the loop's own thread calls `feed` at each turn."""

    def __init__(self) -> None:
        self._next = 0.0

    def feed(self) -> None:
        """Send WATCHDOG=1 twice a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + FEED_S
            notify("WATCHDOG=1")
