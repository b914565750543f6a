"""The product that the loop inspects with, and how the next one is verified and loaded beside it.

The verification runs in a child process (proof.py). This process only loads what it has verified:
the compiled engine, without the interpreter's lock.
"""

from pathlib import Path
from typing import NamedTuple

from edge.base.errors import ProductError
from edge.engine import Engine, runtimes
from edge.engine.runtimes import Flavour
from edge.events.event import RecordedChange
from edge.product.product import Product, load_product
from edge.station.drift_watch import DriftWatch
from edge.station.inspector import Inspector
from edge.station.proof import Stopped, Wanted, check_usable, prove_in_child
from edge.vision.alignment import REFERENCE_FILE
from edge.vision.drift_features import REFERENCE
from edge.vision.frame import Size

READ_HERE = ("calibration.json", REFERENCE, REFERENCE_FILE)
"""Besides the engine's plan, which has a digest of its own; hashing all would hold up a frame."""


class ActiveProduct(NamedTuple):
    """A product with all that judges it, ready for its first frame; `request` is who wanted it."""

    product: Product
    engine: Engine
    inspector: Inspector
    drift: DriftWatch
    request: RecordedChange | None = None

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
    """Verify a calibrated product's engine here and now, and load it.

    `frame` is the size of the camera's frames, where one has come: the product must fit it. Takes
    long; ends early once `stopped`. Raises DraemError.
    """
    if version == "newest":
        raise ProductError("a line runs a version by its number, or the current one: name one")
    wanted = Wanted(
        products=str(products), name=name, version=version, flavour=flavour, frame=frame
    )
    number = prove_in_child(wanted, stopped)
    product = check_usable(load_product(products, name, number, only=READ_HERE), frame)
    return ActiveProduct.of(product, runtimes.load(product, flavour))
