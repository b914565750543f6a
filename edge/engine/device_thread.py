"""A thread that owns a device: CUDA contexts are made, used and ended in one thread only.

Whoever holds the engine may load it in one thread, use it in another and close it in a third; the
device sees the owner alone. A call that never comes back (a hung device) costs its caller no more
than a deadline.
"""

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from edge.base.errors import EngineError, EngineLost

T = TypeVar("T")
RESTART = (
    "restart the program; where it comes back, look into 'dmesg' for the driver's messages (Xid)"
)


class DeviceThread:
    """Carries out one piece of work after another in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lost: EngineLost | None = None
        self._ended = False
        # A daemon: a hung device must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], deadline_s: float) -> T:
        """What `work` returns or raises.

        Raises EngineLost where it takes longer, and at once ever after, as after any EngineLost.
        """
        if self._lost:
            raise self._lost
        if self._ended:
            raise EngineError("the engine is closed: load it again")
        done: Future[T] = Future()
        self._work.put(lambda: _settle(done, work))
        try:
            return done.result(deadline_s)
        except TimeoutError:
            self._lost = EngineLost(f"the GPU has not answered for {deadline_s:g} s: {RESTART}")
            raise self._lost from None
        except EngineLost as error:
            self._lost = error
            raise

    def end(self, deadline_s: float = 5) -> None:
        """Let the thread end after the work it has; one that hangs is left behind."""
        self._ended = True
        self._work.put(None)
        self._thread.join(deadline_s)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _settle(done: "Future[T]", work: Callable[[], T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
        # What its frames hold of the device must end here, in the device's thread.
        traceback.clear_frames(error.__traceback__)
        done.set_exception(error)
