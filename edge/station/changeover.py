"""Another product while the line runs: its engine is proven beside the old one, then taken.

The proof runs at low priority on one core, in an engine of its own: a thread that has lowered its
priority cannot raise it again, and whatever an engine starts would inherit it. What will serve is
made only then, by a thread of normal priority, and the loop takes it between two frames.
Whatever fails on the way, the old one goes on.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.base.closeable import Closeable
from edge.base.errors import DraemError, ProductError
from edge.engine import Engine, runtimes
from edge.engine.runtimes import Flavour
from edge.engine.verify import prove
from edge.events.control_messages import ChangeStatus
from edge.product.product import Product, load_product
from edge.station.drift_watch import DriftWatch
from edge.station.inspector import Inspector
from edge.vision.frame import Size

log = logging.getLogger(__name__)

PROOF_FRAMES = 24  # of the calibration's, besides all golden ones
LONGEST_PROOF_S = 300.0


class ChangeoverError(DraemError):
    """The line cannot change its product now."""


class Running(NamedTuple):
    """All that judges a product, ready for its first frame."""

    product: Product
    engine: Engine
    inspect: Inspector
    drift: DriftWatch

    @classmethod
    def of(cls, product: Product, engine: Engine) -> "Running":
        """Makes what is made once a product, such as the maps of its geometry."""
        return cls(product, engine, Inspector(engine, product), DriftWatch(product))


Stopped = Callable[[], bool]
Load = Callable[[str, str | None, Stopped], Running]
"""(product's name, version or None for the current one, stopped) -> proven. Raises DraemError."""


class Changeover(Closeable):
    """Holds the engine that serves, and makes the next product ready on a thread of its own.

    `begin` is called by the thread that answers, `take` by the loop; `taken` is told, on the
    helper's thread, what runs from now on.
    """

    def __init__(
        self, engine: Engine, load: Load, taken: Callable[[str, str | None], None]
    ) -> None:
        self._engine, self._load, self._tell = engine, load, taken
        self._ready: Running | None = None
        self._took, self._closed = threading.Event(), threading.Event()
        self._helper: threading.Thread | None = None
        self.change = ChangeStatus()

    def begin(self, product: str, version: str | None) -> None:
        """Start to make a product ready. Raises ChangeoverError while another one is."""
        if self.change.state == "loading":
            raise ChangeoverError(
                f"{self.change.product} is still being made ready: try again when that has ended"
            )
        number = self.change.number + 1
        self.change = ChangeStatus(number=number, state="loading", product=product, version=version)
        self._helper = threading.Thread(target=self._work, name="changeover", daemon=True)
        self._helper.start()

    def take(self) -> Running | None:
        """What the loop has to judge with from now on, where that has changed; never waits."""
        ready, self._ready = self._ready, None
        if ready is not None:
            self._before, self._engine = self._engine, ready.engine
            self._took.set()
        return ready

    def _work(self) -> None:
        asked = self.change
        try:
            ready = self._load(asked.product, asked.version, self._closed.is_set)
            self._ready = ready
            while not self._took.wait(0.1):
                if self._closed.is_set():
                    return
        except Exception as error:  # the old one goes on, and whoever asked is told
            known = isinstance(error, DraemError)
            log.error("no change to %s: %s", asked.product, error, exc_info=not known)
            self.change = asked.model_copy(update={"state": "failed", "message": str(error)})
        else:
            self._took.clear()
            message = self._after(asked)
            version = ready.product.version
            done = {"state": "done", "version": version, "message": message}
            log.info("the line has changed to %s version %s", asked.product, version)
            self.change = asked.model_copy(update=done)

    def _after(self, asked: ChangeStatus) -> str:
        """Remember what runs, then close what ran; what goes wrong now cannot undo the change."""
        message = ""
        try:
            self._tell(asked.product, asked.version)
        except OSError as error:
            message = f"it runs, but a restart will not know it ({error}): free space on the disk"
            log.error("%s: %s", asked.product, message)
        try:
            self._before.close()
        except Exception:
            log.exception("the engine of the product before could not be closed")
        return message

    def close(self) -> None:
        """Close the engine that serves, and one that was never taken."""
        self._closed.set()
        if self._helper is not None:
            self._helper.join()
        if self._ready is not None:
            self._ready.engine.close()
        self._engine.close()


def load_proven(
    products: Path,
    name: str,
    version: str | None,
    flavour: Flavour | None,
    stopped: Stopped,
    frame: Size | None = None,
) -> Running:
    """A calibrated product, its engine proven here and now. Raises DraemError, also when `stopped`.

    `frame` is the size of what the camera gives, where one was seen: the product must fit it.

    Files are checked and the engine is proven at low priority, which may take long; loading what
    will serve is at normal one.
    """
    if version == "newest":
        raise ProductError("a line runs a version by its number, or the current one: name one")
    proof = _Proof(lambda: _usable(load_product(products, name, version), frame), flavour, stopped)
    proof.start()
    proof.join(LONGEST_PROOF_S)
    if proof.is_alive():
        proof.give_up()
        raise ChangeoverError(
            f"its proof was not done in {LONGEST_PROOF_S:.0f} s: the line and other programs leave "
            "no time for it; stop those, or slow the line down, and switch again"
        )
    if proof.error is not None:
        raise proof.error
    assert proof.product is not None
    return Running.of(proof.product, runtimes.load(proof.product, flavour))


def _usable(product: Product, frame: Size | None) -> Product:
    """Raises ProductError where each frame of this line would be NO_VERDICT."""
    which = f"{product.name} version {product.version}"
    if product.calibration is None:
        raise ProductError(
            f"{which} has no threshold: run 'draem calibrate --product {product.name} "
            f"--version {product.version}'"
        )
    try:
        if frame is not None:
            product.fit.place(frame)
    except ValueError as error:
        raise ProductError(
            f"{which} does not fit this camera: {error}: set the camera to the size that it was "
            "made with and start the line again, or train and calibrate it on this camera's frames"
        ) from error
    return product


class _Proof(threading.Thread):
    """Reads and proves a product, out of the line's way; `product` or `error` is set then."""

    def __init__(
        self, read: Callable[[], Product], flavour: Flavour | None, stopped: Stopped
    ) -> None:
        super().__init__(name="proof", daemon=True)
        self._read, self._flavour = read, flavour
        self._given_up = False
        self._stopped = lambda: self._given_up or stopped()
        self.product: Product | None = None
        self.error: BaseException | None = None

    def give_up(self) -> None:
        """Returns once it has ended."""
        self._given_up = True
        self.join()

    def run(self) -> None:
        try:
            # Of this thread. A mere nice value took every second frame from the line's engine.
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            product = self._read()
            with runtimes.load(product, self._flavour, threads=1) as engine:
                prove(engine, product, most=PROOF_FRAMES, stopped=self._stopped)
            self.product = product
        except BaseException as error:  # noqa: BLE001  handed to the helper, which tells it
            self.error = error
