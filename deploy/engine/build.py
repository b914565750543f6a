"""Compile a product's model for this device, prove it, and only then put it in place."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.engine.fastest import fastest
from deploy.engine.tensorrt_progress import Progress
from edge.base.errors import EngineError
from edge.engine.accuracy import prove_accuracy, simulated_of
from edge.engine.plan import (
    ANY_DEVICE,
    NAMES,
    REDUCED,
    Key,
    Plan,
    Record,
    drop_other_precisions,
    read_plan,
    records,
    store_plan,
)
from edge.engine.runtimes import Flavour, open_plan, pick, plan_key, precisions
from edge.engine.verify import prove
from edge.product.product import Product, now

log = logging.getLogger(__name__)

Report = Callable[[float, str], None]

AUTO = "auto"


def build(
    product: Product,
    asked: Flavour | None = None,
    batches: Sequence[int] = (1,),
    report: Report = lambda share, phase: None,
    precision: str | None = None,
) -> Record:
    """Compile for this device, prove, store. Raises EngineError; nothing is stored then.

    `precision` is one of a key, or AUTO: the fastest that passes its proof; by default the one that
    the runtime loses nothing in.
    """
    flavour = pick(asked)
    _check_possible(flavour, None if precision == AUTO else precision)
    if precision == AUTO:
        return _store(product, _fastest_of(product, flavour, batches, report))
    key = plan_key(product, flavour, precision)
    return _store(product, _proven(product, _compiled(product, key, batches, report)))


def build_ahead(
    product: Product,
    asked: Flavour | None,
    capability: str,
    batches: Sequence[int] = (1,),
    report: Report = lambda share, phase: None,
    precision: str | None = None,
) -> Record:
    """Compile for all GPUs of a compute capability (8.6) without having one; not proven yet.

    Raises EngineError where the flavour compiles only on its device.
    """
    from edge.engine import tensorrt

    flavour = asked or "tensorrt_rtx"
    if flavour == "openvino":
        raise EngineError("--for is for GPUs: leave it out, or choose --flavour tensorrt_rtx")
    if precision == AUTO:
        raise EngineError("--for has no GPU to measure speed on: name another --precision")
    _check_possible(flavour, precision)
    key = tensorrt.ahead_key(product, flavour, capability, precision or tensorrt.PRECISION)
    return _store(product, _compiled(product, key, batches, report))


def prove_ahead(product: Product, asked: Flavour | None = None) -> Record:
    """Prove on this device what was compiled ahead of time for it, and store it as its own.

    Raises EngineError where there is no such plan, or it fails.
    """
    from edge.engine import tensorrt

    flavour = pick(asked)
    key = plan_key(product, flavour)
    if flavour == "openvino" or key.capability is None:
        raise EngineError(
            "--prove is for a GPU's engine, and this device runs openvino: leave it out"
        )
    anywhere = tensorrt.ahead_key(product, flavour, key.capability)
    here = [record.key for record in records(product)]
    wanted = [anywhere.model_copy(update={"precision": p}) for p in tensorrt.PRECISIONS]
    ahead = read_plan(
        product, next((k for k in reversed(wanted) if k in here), anywhere), proven=False
    )
    mine = key.model_copy(update={"precision": ahead.record.key.precision})
    record = ahead.record.model_copy(update={"key": mine})
    return _store(product, _proven(product, Plan(record, ahead.data)))


def timing_cache(product: Product, key: Key) -> Path:
    """Shared by all products of this device and flavour; a cache, that may be removed."""
    words = "-".join((key.flavour, key.version, key.device, key.capability or ""))
    name = hashlib.sha256(words.encode()).hexdigest()[:16]
    return product.path.parent.parent / ".timing" / f"{name}.cache"


def _check_possible(flavour: Flavour, precision: str | None) -> None:
    """Raise EngineError where this device has no such precision."""
    here = precisions(flavour)
    if precision is not None and precision not in here:
        choices = ", ".join(NAMES[p] for p in here)
        raise EngineError(
            f"{flavour} on this device does not compute in {NAMES[precision]}: choose from "
            f"{choices}"
        )


def _fastest_of(product: Product, flavour: Flavour, batches: Sequence[int], report: Report) -> Plan:
    """Of all precisions that can be built and pass their proof, the fastest one's plan."""
    proven = []
    for precision in precisions(flavour):
        key = plan_key(product, flavour, precision)
        try:
            proven.append(_proven(product, _compiled(product, key, batches, report)))
        except EngineError as error:
            if precision not in REDUCED:
                raise
            log.warning("%s is left out: %s", precision, error)
    return fastest(proven, product)


def _compiled(product: Product, key: Key, batches: Sequence[int], report: Report) -> Plan:
    """An unproven plan."""
    if key.precision in REDUCED:
        simulated_of(product)  # before minutes of compiling, what the proof will need
    sizes = sorted({1, *batches})
    if key.flavour == "openvino":
        if sizes != [1]:
            raise EngineError("openvino judges image by image: leave --batch out")
        data = _compiled_for_cpu(product, key, report)
    else:
        data = _compiled_for_gpu(product, key, sizes, report)
    record = Record(
        key=key,
        batches=sizes,
        plan=hashlib.sha256(data).hexdigest(),
        proven=False,
        proof={},
        created=now(),
    )
    return Plan(record, data)


def _compiled_for_cpu(product: Product, key: Key, report: Report) -> bytes:
    from edge.engine import openvino

    if key.precision != "int8":
        return openvino.compile_plan(product, key.precision)
    from deploy.engine.quantise import quantised

    return openvino.compile_model(
        quantised(product, per_tensor=False, report=report), key.precision
    )


def _compiled_for_gpu(product: Product, key: Key, sizes: Sequence[int], report: Report) -> bytes:
    from deploy.engine.tensorrt_compile import CompileJob, compile_plan
    from deploy.engine.tensorrt_int8 import quantised_layers

    layers = {}
    if key.precision == "int8":
        from deploy.engine.quantise import quantised

        layers = quantised_layers(quantised(product, per_tensor=True, report=report))
    capability = key.capability if key.device == ANY_DEVICE else None
    job = CompileJob(key.flavour, sizes, timing_cache(product, key), capability, layers)
    return compile_plan(product, job, Progress(report))


def _proven(product: Product, plan: Plan) -> Plan:
    """The plan with the figures of its proof. Raises EngineError where it fails."""
    key = plan.record.key
    try:
        with open_plan(plan, product) as engine:
            proof = prove(engine, product, key.precision, plan.record.batches)
            if key.precision in REDUCED:
                proof |= prove_accuracy(engine, product)
    except EngineError:
        # With the same timings the next build might choose the same again.
        timing_cache(product, key).unlink(missing_ok=True)
        raise
    update = {"proven": True, "proof": proof, "created": now()}
    return Plan(plan.record.model_copy(update=update), plan.data)


def _store(product: Product, plan: Plan) -> Record:
    """In the place of what this device had in any precision."""
    store_plan(product, plan)
    drop_other_precisions(product, plan.record.key)
    return plan.record
