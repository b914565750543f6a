"""Compile a product's model for this device, prove it, and only then put it in place."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.engine.tensorrt_progress import Progress
from edge.base.errors import EngineError
from edge.engine.plan import ANY_DEVICE, Key, Plan, Record, read_plan, store_plan
from edge.engine.runtimes import Flavour, open_plan, pick, plan_key
from edge.engine.verify import prove
from edge.product.product import Product, now

Report = Callable[[float, str], None]


def build(
    product: Product,
    asked: Flavour | None = None,
    batches: Sequence[int] = (1,),
    report: Report = lambda share, phase: None,
) -> Record:
    """Compile for this device, prove, store. Raises EngineError; nothing is stored then."""
    flavour = pick(asked)
    key = plan_key(product, flavour)
    return _prove_and_store(product, _compiled(product, key, batches, report))


def build_ahead(
    product: Product,
    asked: Flavour | None,
    capability: str,
    batches: Sequence[int] = (1,),
    report: Report = lambda share, phase: None,
) -> Record:
    """Compile for all GPUs of a compute capability (8.6) without having one; not proven yet.

    Raises EngineError where the flavour compiles only on its device.
    """
    from edge.engine.tensorrt import ahead_key

    flavour = asked or "tensorrt_rtx"
    if flavour == "openvino":
        raise EngineError("--for is for GPUs: leave it out, or choose --flavour tensorrt_rtx")
    key = ahead_key(product, flavour, capability)
    plan = _compiled(product, key, batches, report)
    store_plan(product, plan)
    return plan.record


def prove_ahead(product: Product, asked: Flavour | None = None) -> Record:
    """Prove on this device what was compiled ahead of time for it, and store it as its own.

    Raises EngineError where there is no such plan, or it fails.
    """
    from edge.engine.tensorrt import ahead_key

    flavour = pick(asked)
    key = plan_key(product, flavour)
    if flavour == "openvino" or key.capability is None:
        raise EngineError(
            "--prove is for a GPU's engine, and this device runs openvino: leave it out"
        )
    ahead = read_plan(product, ahead_key(product, flavour, key.capability), proven=False)
    mine = ahead.record.model_copy(update={"key": key})
    return _prove_and_store(product, Plan(mine, ahead.data))


def timing_cache(product: Product, key: Key) -> Path:
    """Shared by all products of this device and flavour; a cache, that may be removed."""
    words = "-".join((key.flavour, key.version, key.device, key.capability or ""))
    name = hashlib.sha256(words.encode()).hexdigest()[:16]
    return product.path.parent.parent / ".timing" / f"{name}.cache"


def _compiled(product: Product, key: Key, batches: Sequence[int], report: Report) -> Plan:
    """An unproven plan."""
    sizes = sorted({1, *batches})
    if key.flavour == "openvino":
        if sizes != [1]:
            raise EngineError("openvino judges image by image: leave --batch out")
        from edge.engine import openvino

        data = openvino.compile_plan(product)
    else:
        from deploy.engine.tensorrt_compile import CompileJob, compile_plan

        capability = key.capability if key.device == ANY_DEVICE else None
        order = CompileJob(key.flavour, sizes, timing_cache(product, key), capability)
        data = compile_plan(product, order, Progress(report))
    record = Record(
        key=key,
        batches=sizes,
        plan=hashlib.sha256(data).hexdigest(),
        proven=False,
        proof={},
        created=now(),
    )
    return Plan(record, data)


def _prove_and_store(product: Product, plan: Plan) -> Record:
    try:
        with open_plan(plan, product) as engine:
            proof = prove(engine, product, plan.record.batches)
    except EngineError:
        # With the same timings the next build might choose the same again.
        timing_cache(product, plan.record.key).unlink(missing_ok=True)
        raise
    record = plan.record.model_copy(update={"proven": True, "proof": proof, "created": now()})
    store_plan(product, Plan(record, plan.data))
    return record
