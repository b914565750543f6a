"""The product that the loop inspects with, and how the next one is loaded and verified beside it.

The verification runs at low priority on one core, with an engine of its own: a thread that has
lowered its priority cannot raise it again, and whatever an engine starts would inherit it. The
engine that will serve is made only after that, by a thread of normal priority.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.base.errors import DraemError, ProductError
from edge.engine import Engine, runtimes
from edge.engine.runtimes import Flavour
from edge.engine.verify import prove
from edge.product.product import Product, load_product
from edge.station.drift_watch import DriftWatch
from edge.station.inspector import Inspector
from edge.vision.frame import Size

PROOF_FRAMES = 24  # of the calibration's, besides all golden ones
PROOF_TIMEOUT_S = 300.0

Stopped = Callable[[], bool]


class ChangeoverError(DraemError):
    """The line cannot change its product now."""


class ActiveProduct(NamedTuple):
    """A product with all that judges it, ready for its first frame."""

    product: Product
    engine: Engine
    inspector: Inspector
    drift: DriftWatch

    @classmethod
    def of(cls, product: Product, engine: Engine) -> "ActiveProduct":
        """Compute what a product needs once, such as the maps of its geometry."""
        return cls(product, engine, Inspector(engine, product), DriftWatch(product))


def load_verified(
    products: Path,
    name: str,
    version: str | None,
    flavour: Flavour | None,
    stopped: Stopped,
    frame: Size | None = None,
) -> ActiveProduct:
    """Load a calibrated product, and verify its engine here and now.

    `frame` is the size of the camera's frames, where one has come: the product must fit it. Takes
    long; ends early once `stopped`. Raises DraemError.
    """
    if version == "newest":
        raise ProductError("a line runs a version by its number, or the current one: name one")
    proof = _ProofThread(
        lambda: _check_usable(load_product(products, name, version), frame), flavour, stopped
    )
    proof.start()
    proof.join(PROOF_TIMEOUT_S)
    if proof.is_alive():
        proof.give_up()
        raise ChangeoverError(
            f"its proof was not done in {PROOF_TIMEOUT_S:.0f} s, because the line and other "
            "programs use all processor time: stop those, or slow the line down, and switch again"
        )
    if proof.error is not None:
        raise proof.error
    assert proof.product is not None
    return ActiveProduct.of(proof.product, runtimes.load(proof.product, flavour))


def _check_usable(product: Product, frame: Size | None) -> Product:
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


class _ProofThread(threading.Thread):
    """Reads and verifies a product without disturbing the line; sets `product` or `error`."""

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
        """Stop, and wait until the thread has ended."""
        self._given_up = True
        self.join()

    def run(self) -> None:
        try:
            # For this thread. A mere nice value took every second frame from the line's engine.
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            product = self._read()
            with runtimes.load(product, self._flavour, threads=1) as engine:
                prove(engine, product, most=PROOF_FRAMES, stopped=self._stopped)
            self.product = product
        except BaseException as error:  # noqa: BLE001  raised by load_verified
            self.error = error
