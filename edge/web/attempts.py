"""A limit on failed attempts from one address: passwords and tokens."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MOST, WITHIN_S = 20, 60.0
ADDRESSES = 1000


class Attempts:
    """Counts failures by address: after MOST within WITHIN_S seconds it is refused for a while.

    It knows the last ADDRESSES addresses. Usable from any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """For how many seconds an address is refused; 0 if it is not."""
        with self._lock:
            recent = self._recent(address)
        return int(WITHIN_S - (self._clock() - recent[0])) + 1 if len(recent) >= MOST else 0

    def failed(self, address: str) -> None:
        """Count a failure."""
        with self._lock:
            self._failures[address] = [*self._recent(address), self._clock()][-MOST:]
            self._failures.move_to_end(address)
            while len(self._failures) > ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - WITHIN_S
        return [at for at in self._failures.get(address, []) if at > since]
