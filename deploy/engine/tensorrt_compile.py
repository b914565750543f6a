"""model.onnx to a TensorRT plan: strongly typed, so that the graph's float16 is what runs.

One code path from TensorRT 10.13 through 11 and for the RTX flavour: what differs between them is
asked for, by feature and not by version.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from deploy.engine.tensorrt_int8 import (
    QuantisedLayer,
    insert_quantisers,
    integer_convolutions,
)
from deploy.engine.tensorrt_progress import Progress, monitor_of
from edge.base.errors import EngineError
from edge.base.files import write_atomic
from edge.engine.tensorrt import PRECISION
from edge.engine.tensorrt_library import library, log_of, started
from edge.product.product import Product

log = logging.getLogger(__name__)

BODY = {"f16": "HALF"}
"""TensorRT's name for the type of a precision's convolutions."""


@dataclass(frozen=True)
class CompileJob:
    """What to compile: batch sizes, and the compute capability (8.6) where it is for elsewhere.

    `timing` is the file of the timing cache, which makes the next build of this device faster. The
    convolutions that `quantised` names compute in integers.
    """

    flavour: str
    batches: Sequence[int]
    timing: Path
    capability: str | None = None
    quantised: Mapping[str, QuantisedLayer] = field(default_factory=dict)


def compile_plan(product: Product, order: CompileJob, progress: Progress) -> bytes:
    """The plan of `order`. Raises EngineError; Ctrl-C ends it within one of TensorRT's steps."""
    with ThreadPoolExecutor(1, thread_name_prefix="compiler") as pool:
        # In a thread of its own, since C++ would not notice Ctrl-C in this one.
        made = pool.submit(_compile, product, order, progress)
        try:
            while not made.done():
                wait([made], timeout=0.1)
        except KeyboardInterrupt:
            progress.cancelled.set()
            raise
    return made.result()


def _compile(product: Product, order: CompileJob, progress: Progress) -> bytes:
    trt = library(order.flavour)
    errors: list[str] = []
    said = log_of(trt, errors)
    builder = started(trt.Builder, said, errors)
    network, parser = parse(trt, builder, said, product.model_path)
    check(trt, network, product.shape)
    kept = insert_quantisers(trt, network, order.quantised)
    check_integers(trt, network, len(order.quantised))
    config = builder.create_builder_config()
    monitor = monitor_of(trt, progress)
    config.progress_monitor = monitor
    for size in order.batches:
        profile = builder.create_optimization_profile()
        profile.set_shape("image", *[(size, *product.shape, 3)] * 3)
        if config.add_optimization_profile(profile) < 0:
            raise EngineError(f"{order.flavour} cannot take batches of {size}: {_first(errors)}")
    set_target(trt, config, order.capability)
    with _quiet():
        cache = use_timing_cache(config, order.timing)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(
            f"{order.flavour} cannot compile {product.model_path}: {_first(errors)}; where memory "
            "was short, close other programs or build with a smaller --batch"
        )
    del parser, kept  # they hold the weights until here
    with _quiet():
        _keep(order.timing, bytes(cache.serialize()))
    return bytes(plan)


def _keep(timing: Path, data: bytes) -> None:
    """A plan is worth more than the time of the next one."""
    try:
        timing.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(timing, data)
    except OSError as error:
        log.warning("the timing cache %s is not kept: %s", timing, error.strerror)


def parse(trt: ModuleType, builder: Any, log: Any, model: Path) -> tuple[Any, Any]:
    """The network of an ONNX file, and the parser that it needs until it is built."""
    # TensorRT 11 knows no other way and may drop the flag.
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model.read_bytes()):
        error = parser.get_error(0)
        place = f" at {error.node_operator()} '{error.node_name()}'" if error.node_name() else ""
        raise EngineError(
            f"TensorRT cannot read {model}{place}: {error.desc()}; export it again with this "
            "program's trainer, or restore it from a backup"
        )
    return network, parser


def check(trt: ModuleType, network: Any, shape: tuple[int, int]) -> None:
    """Raise EngineError unless names, types and shapes are the contract's and the body is narrow.

    Under strong typing a body that was left in float32 compiles without a word, and runs at half
    the speed or less.
    """
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    found = {t.name: (t.dtype, tuple(t.shape)) for t in tensors}
    wanted = {
        "image": (trt.uint8, (-1, *shape, 3)),
        "heatmap": (trt.float32, (-1, *shape)),
        "score": (trt.float32, (-1,)),
    }
    again = "export it again with this program's trainer"
    if found != wanted:
        raise EngineError(f"model.onnx is not a DRAEM's: it has {found}, not {wanted}; {again}")
    bodies = [
        layer.get_output(0).dtype.name
        for layer in (network.get_layer(i) for i in range(network.num_layers))
        if layer.type == trt.LayerType.CONVOLUTION
    ]
    narrow = bodies.count(BODY[PRECISION])
    if not bodies or narrow < len(bodies):
        raise EngineError(
            f"{len(bodies) - narrow} of {len(bodies)} convolutions in model.onnx are not "
            f"{PRECISION}, so the engine would be slow: {again}"
        )


def check_integers(trt: ModuleType, network: Any, expected: int) -> None:
    """Raise EngineError unless so many convolutions read integers."""
    narrow, every = integer_convolutions(trt, network)
    if narrow != expected:
        raise EngineError(
            f"{narrow} of {every} convolutions compute in integers, and {expected} should: report "
            "it, and build --precision float16"
        )


def set_target(trt: ModuleType, config: Any, capability: str | None) -> None:
    """This device, or a compute capability as 8.6 where the flavour can. Raises EngineError."""
    if not hasattr(config, "num_compute_capabilities"):
        if capability is not None:
            raise EngineError(
                "this flavour of TensorRT compiles only on the device itself: run 'draem build' "
                "there, or add --flavour tensorrt_rtx"
            )
        return
    name = f"SM{capability.replace('.', '')}" if capability else "CURRENT"
    known = trt.ComputeCapability.__members__
    if name not in known:
        cards = ", ".join(n for n in known if n.startswith("SM"))
        raise EngineError(f"this TensorRT cannot compile for {name}: choose from {cards}")
    config.num_compute_capabilities = 1
    if not config.set_compute_capability(known[name], 0):
        raise EngineError(f"this TensorRT refuses to compile for {name}: see its release notes")


def use_timing_cache(config: Any, path: Path) -> Any:
    """The cache of earlier builds where it can be used, else an empty one."""
    for kept in (path.read_bytes() if path.is_file() else b"", b""):
        cache = config.create_timing_cache(kept)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    raise EngineError(f"TensorRT takes no timing cache: remove {path} and build again")


def _first(errors: list[str]) -> str:
    return errors[0] if errors else "it does not say why"


def _quiet() -> "warnings.catch_warnings[None]":
    """The RTX flavour calls its timing cache deprecated; it is harmless there."""
    return warnings.catch_warnings(action="ignore", category=DeprecationWarning)
