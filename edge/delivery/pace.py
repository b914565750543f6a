"""Holds a delivery to so many bytes and files a second, so that the network stays free."""

import time
from collections.abc import Callable


class Pace:
    """`wait` is called with the seconds to wait, before each chunk of bytes and each file."""

    def __init__(
        self, bytes_per_s: float, files_per_s: float, wait: Callable[[float], None]
    ) -> None:
        self._bytes_per_s, self._files_per_s, self._wait = bytes_per_s, files_per_s, wait
        self._next_byte = self._next_file = 0.0

    def file(self) -> None:
        """Return when another file may begin."""
        self._next_file = self._passed(self._next_file) + 1 / self._files_per_s

    def chunk(self, size: int) -> None:
        """Return when so many bytes may be sent."""
        self._next_byte = self._passed(self._next_byte) + size / self._bytes_per_s

    def _passed(self, due: float) -> float:
        """The time from which the next wait counts; what was not used is not made up for."""
        now = time.monotonic()
        self._wait(max(0.0, due - now))
        return max(due, now)
