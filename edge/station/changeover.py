"""Change of product while the line runs: prepared beside the active one, taken between two frames.

Whatever fails on the way, the active product goes on.
"""

import logging
import threading
from collections.abc import Callable

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.base.os_errors import how_to_fix
from edge.engine import Engine
from edge.events.control_messages import ChangeStatus
from edge.events.event import RecordedChange
from edge.station.active_product import ActiveProduct
from edge.station.proof import ChangeoverError, Stopped

log = logging.getLogger(__name__)

Load = Callable[[str, str | None, Stopped], ActiveProduct]
"""(product's name, version or None for the current one, stopped) -> verified. Raises DraemError."""


class Changeover(Closeable):
    """Owns the active engine, and prepares the next product on a thread of its own.

    The control thread calls `begin`, the loop `take`. `changed(name, version)` is called on the
    preparing thread after each change.
    """

    def __init__(
        self, engine: Engine, load: Load, changed: Callable[[str, str | None], None]
    ) -> None:
        self._engine, self._load, self._changed = engine, load, changed
        self._ready: ActiveProduct | None = None
        self._taken, self._closed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.change = ChangeStatus()

    def begin(
        self, product: str, version: str | None, request: RecordedChange | None = None
    ) -> None:
        """Start to prepare a product. Raises ChangeoverError while another one is prepared.

        `request` says who wants it.
        """
        if self.change.state == "loading":
            raise ChangeoverError(
                f"{self.change.product} is still being prepared: try again when that has ended"
            )
        number = self.change.number + 1
        self.change = ChangeStatus(number=number, state="loading", product=product, version=version)
        self._thread = threading.Thread(
            target=self._work, args=(request,), name="changeover", daemon=True
        )
        self._thread.start()

    def take(self) -> ActiveProduct | None:
        """The product to inspect with from now on, where it has changed; never waits."""
        ready, self._ready = self._ready, None
        if ready is not None:
            self._previous, self._engine = self._engine, ready.engine
            self._taken.set()
        return ready

    def _work(self, wanted_by: RecordedChange | None) -> None:
        request = self.change
        try:
            ready = self._load(request.product, request.version, self._closed.is_set)
            self._ready = ready._replace(request=wanted_by)
            while not self._taken.wait(0.1):
                if self._closed.is_set():
                    return
        except Exception as error:  # the active product goes on; the status says why
            expected = isinstance(error, DraemError)
            log.error("no change to %s: %s", request.product, error, exc_info=not expected)
            self.change = request.model_copy(update={"state": "failed", "message": str(error)})
        else:
            self._taken.clear()
            message = self._finish(request)
            version = ready.product.version
            done = {"state": "done", "version": version, "message": message}
            log.info("the line has changed to %s version %s", request.product, version)
            self.change = request.model_copy(update=done)

    def _finish(self, request: ChangeStatus) -> str:
        """Report the change and close the previous engine; a failure cannot undo the change."""
        message = ""
        try:
            self._changed(request.product, request.version)
        except OSError as error:
            message = (
                f"the line runs it, but will not after a restart ({error}): "
                f"{how_to_fix(error) or 'check the disk'}, then switch again"
            )
            log.error("%s: %s", request.product, message)
        try:
            self._previous.close()
        except Exception:
            log.exception("the previous engine could not be closed")
        return message

    def close(self) -> None:
        """Close the active engine, and one that was prepared but not taken."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        if self._ready is not None:
            self._ready.engine.close()
        self._engine.close()
