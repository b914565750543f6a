"""Compile a product's model for this device, prove it, and only then put it in place."""

import hashlib

from deploy.verify import prove
from edge.engine import openvino
from edge.engine.plan import Record, store_plan
from edge.product import Product, now


def build(product: Product) -> Record:
    """Compile, prove on the golden frames, store. Raises EngineError; nothing is stored then."""
    plan = openvino.compile_plan(product)
    with openvino.OpenVinoEngine(plan, product.shape) as engine:
        proof = prove(engine, product.path / "golden.npz")
    record = Record(
        key=openvino.plan_key(product),
        plan=hashlib.sha256(plan).hexdigest(),
        proven=True,
        proof=proof,
        created=now(),
    )
    store_plan(product, record, plan)
    return record
