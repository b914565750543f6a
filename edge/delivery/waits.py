"""Waiting of the loop: it can be ended at any time, and systemd sees that the process runs."""

import time
from collections.abc import Callable

from edge.base.service import Watchdog
from edge.delivery.errors import Stopped

TURN_S = 1.0


def waiting(ends: Callable[[float], bool]) -> Callable[[float], None]:
    """A function that waits for some seconds; `ends(seconds)` waits, and says whether to end.

    It raises Stopped.
    """
    watchdog = Watchdog()

    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            watchdog.feed()
            left = end - time.monotonic()
            if ends(min(max(left, 0.0), TURN_S)):
                raise Stopped
            if left <= TURN_S:
                return

    return wait
