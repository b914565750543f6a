"""systemd's side of a service of Type=notify: a real NOTIFY_SOCKET."""

import socket
import time
from pathlib import Path

from edge.base.closeable import Closeable


class ServiceManager(Closeable):
    """Receives the states that a service sends to the socket at `path`."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def wait_for(self, state: str, timeout_s: float = 60) -> str:
        """The next message with a state; others before it are dropped."""
        end = time.monotonic() + timeout_s
        while (message := self.next(end - time.monotonic())) is not None:
            if state in message:
                return message
        raise AssertionError(f"no {state}")

    def next(self, timeout_s: float) -> str | None:
        """The next message; None where there is none in time."""
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return None

    def drain(self) -> None:
        while self.next(0) is not None:
            pass

    def close(self) -> None:
        self._socket.close()
