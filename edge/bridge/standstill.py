"""Whether this program stood still: what it reads then may be older than it looks.

Stopped, swapped out or starved, a process finds in its sockets what somebody wrote meanwhile.
"""

import threading
import time

from edge.closing import Closing

TURN_S = 0.02
AFTER_S = 0.25  # all that had come meanwhile has been read by then


class Standstill(Closing):
    """Notices when its own thread did not turn for `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s, self._stop = TURN_S + longest_s, threading.Event()
        self._turned, self._until = time.monotonic(), 0.0
        self._thread = threading.Thread(target=self._turn, name="standstill", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        while not self._stop.wait(TURN_S):
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._turned > self._longest_s:
            self._until = now + AFTER_S
        self._turned = now

    def was(self) -> bool:
        """Whether it stands still, or did until a moment ago; for any thread."""
        now = time.monotonic()  # first: the other may turn meanwhile
        return now - self._turned > self._longest_s or time.monotonic() < self._until

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
