"""Which engine runs: the flavour that was asked for, or the best one that this device has."""

import logging
from collections.abc import Sequence
from typing import Literal, get_args

from edge.base.errors import EngineError
from edge.engine import Engine
from edge.engine.plan import Key, Plan, read_plan, records
from edge.engine.tiled import for_pictures
from edge.product.product import Product
from edge.vision.fit import Fit

log = logging.getLogger(__name__)

Flavour = Literal["tensorrt", "tensorrt_rtx", "openvino"]
FLAVOURS: tuple[Flavour, ...] = get_args(Flavour)
"""From the fastest to the one that runs everywhere."""


def precisions(flavour: Flavour) -> Sequence[str]:
    """Those that a flavour has on this device; the first is the one that it loses nothing in."""
    if flavour == "openvino":
        from edge.engine import openvino

        return openvino.precisions()
    from edge.engine import tensorrt

    return tensorrt.PRECISIONS


def plan_key(product: Product, flavour: Flavour, precision: str | None = None) -> Key:
    """The key of this product's plan on this device, by default in the flavour's own precision.

    Raises EngineError where it cannot run.
    """
    if flavour == "openvino":
        from edge.engine import openvino

        return openvino.plan_key(product, precision or "f32")
    from edge.engine import tensorrt

    return tensorrt.plan_key(product, flavour, precision or tensorrt.PRECISION)


def serving_key(product: Product, flavour: Flavour) -> Key:
    """Of this product's proven plans for this device that of the one built last.

    Where there is none, that of the flavour's own precision. Raises EngineError as `plan_key`.
    """
    key = plan_key(product, flavour)
    mine = [
        record
        for record in records(product)
        if record.proven
        and record.key.precision in precisions(flavour)
        and record.key.model_copy(update={"precision": key.precision}) == key
    ]
    return max(mine, key=lambda record: record.created).key if mine else key


def open_plan(plan: Plan, product: Product, threads: int | None = None) -> Engine:
    """The engine of a plan, proven or not, for the model's input; `threads` bounds a CPU's."""
    flavour = plan.record.key.flavour
    if flavour == "openvino":
        from edge.engine.openvino import OpenVinoEngine

        return OpenVinoEngine(plan.data, product.shape, threads, plan.record.key.precision)
    from edge.engine.tensorrt import TensorRtEngine

    return TensorRtEngine(plan.data, product.shape, plan.record.batches, flavour)


def missing(flavour: Flavour) -> str | None:
    """What this device lacks to run a flavour, and how to fix it; None where it has all."""
    if flavour == "openvino":
        return None
    from edge.engine import tensorrt_library

    return tensorrt_library.missing(flavour)


def pick(asked: Flavour | None) -> Flavour:
    """The flavour asked for, or else the first that this device can run."""
    if asked is not None:
        return asked
    return next(flavour for flavour in FLAVOURS if missing(flavour) is None)


def load(product: Product, asked: Flavour | None = None, fit: Fit | None = None) -> Engine:
    """The product's proven engine on this device, for the whole pictures that `fit` prepares.

    That is the product's, unless another one is given. Raises EngineError that says how to fix it.
    """
    return for_pictures(load_model(product, asked), product, fit)


def load_model(
    product: Product, asked: Flavour | None = None, threads: int | None = None
) -> Engine:
    """The proven engine for inputs of the model's own size. Raises EngineError as `load`."""
    plan = proven_plan(product, asked)
    engine = open_plan(plan, product, threads)
    log.info("engine: %s, %s", plan.record.key.flavour, plan.record.key.precision)
    return engine


def proven_plan(product: Product, asked: Flavour | None = None) -> Plan:
    """The plan that serves the product on this device. Raises EngineError that says how to fix it.

    Where nothing was asked for, a product that was built for a GPU is not run on a slower engine
    because the GPU has gone.
    """
    flavour = pick(asked)
    if asked is None:
        for record in records(product):
            better = next((f for f in FLAVOURS if f == record.key.flavour), flavour)
            lack = missing(better) if FLAVOURS.index(better) < FLAVOURS.index(flavour) else None
            if lack and record.proven:
                raise EngineError(f"{product.name} was built for {better}, but {lack}")
    return read_plan(product, serving_key(product, flavour))
