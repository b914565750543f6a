"""A thread that works only while somebody looks."""

import logging
import time
from abc import abstractmethod
from threading import Event as StopEvent
from threading import Thread

from edge.base.closeable import Closeable

log = logging.getLogger(__name__)

HOLD_S = 3.0
RETRY_S = 2.0


class Watch(Closeable):
    """Calls `_work` while somebody has called `want` in the last seconds.

    Pages call `want` as long as they are open; so nothing must be counted, and none can be left
    over.
    """

    def __init__(self, name: str) -> None:
        self._wanted_until = 0.0
        self._wake, self._closed = StopEvent(), StopEvent()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def want(self) -> None:
        """Go on working; never waits."""
        self._wanted_until = time.monotonic() + HOLD_S
        self._wake.set()

    @property
    def wanted(self) -> bool:
        """Whether to go on."""
        return not self._closed.is_set() and time.monotonic() < self._wanted_until

    @abstractmethod
    def _work(self) -> None:
        """One piece of work, or all of it until not `wanted`."""

    def _idle(self) -> None:
        """Nobody looks any more: forget what would be old when somebody does."""

    def _run(self) -> None:
        while not self._closed.is_set():
            if self.wanted:
                try:
                    self._work()
                except Exception:
                    log.exception("%s failed: it tries again", self._thread.name)
                    self._closed.wait(RETRY_S)
            else:
                self._idle()
                self._wake.wait()
                self._wake.clear()

    def close(self) -> None:
        self._closed.set()
        self._wake.set()
        self._thread.join()
