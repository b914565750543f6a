"""The CPU engine: OpenVINO, the default on a device without a GPU."""

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
import openvino
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError, EngineLost
from edge.engine import INFER_S, LOAD_S, Inference, check_batch
from edge.engine.plan import Key
from edge.product.product import Product

CONFIG = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}
"""OpenVINO's word for what a processor must have for a precision."""


@cache
def _core() -> openvino.Core:
    """One for the life of the process.

    A Core gives the thread that makes it a stack for signals, and takes the memory away when it
    goes: where that happens in another thread, the next SIGTERM kills the first with a SIGSEGV.
    """
    return openvino.Core()


def precisions() -> Sequence[str]:
    """Those of this CPU: what it computes itself, without emulation."""
    here = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [precision for precision, word in CAPABILITIES.items() if word in here]


def config(precision: str) -> dict[str, str]:
    """How to compile and load; around integers it computes in bfloat16 where the CPU can."""
    rest = "bf16" if "bf16" in precisions() else "f32"
    return CONFIG | {"INFERENCE_PRECISION_HINT": rest if precision == "int8" else precision}


def plan_key(product: Product, precision: str = "f32") -> Key:
    """The key of this product's plan on this CPU. A batch is judged image by image."""
    height, width = product.shape
    return Key(
        model=product.model_digest,
        flavour="openvino",
        version=openvino.__version__,
        device=str(_core().get_property("CPU", "FULL_DEVICE_NAME")),
        precision=precision,
        shape=f"{height}x{width}x3",
    )


def read_model(product: Product) -> openvino.Model:
    """model.onnx for one image at a time. Raises EngineError where OpenVINO cannot read it."""
    try:
        model = _core().read_model(product.model_path)
        model.reshape([1, *product.shape, 3])
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot compile {product.model_path}: {_cause(error)}"
        ) from error
    return model


def compile_model(model: openvino.Model, precision: str) -> bytes:
    """The plan of a model, quantised before where the precision is int8. Raises EngineError."""
    try:
        compiled = _core().compile_model(model, "CPU", config(precision))
        stream: io.BytesIO = compiled.export_model()
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot compile the model: {_cause(error)}") from error
    return stream.getvalue()


def compile_plan(product: Product, precision: str = "f32") -> bytes:
    """Compile model.onnx as it is for one image at a time. Raises EngineError."""
    return compile_model(read_model(product), precision)


class OpenVinoEngine(Closeable):
    """`infer` on the CPU in a plan's precision; loaded from it, warm when it is made.

    `threads` bounds how many cores it takes; None is all of them.
    """

    def __init__(
        self,
        plan: bytes,
        shape: tuple[int, int],
        threads: int | None = None,
        precision: str = "f32",
    ) -> None:
        self._shape = (*shape, 3)
        chosen = config(precision) | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
        try:
            compiled = _core().import_model(plan, "CPU", chosen)
            self._request: openvino.InferRequest | None = compiled.create_infer_request()
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot load the plan ({_cause(error)}): run 'draem build' again"
            ) from error
        self._lost: EngineLost | None = None
        self._judge(np.zeros((1, *self._shape), np.uint8), LOAD_S)

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        return self._judge(batch, INFER_S)

    def _judge(self, batch: NDArray[np.uint8], deadline_s: float) -> Inference:
        if self._lost:
            raise self._lost
        if self._request is None:
            raise EngineError("the engine is closed: load it again")
        check_batch(batch, self._shape)
        heatmap = np.empty(batch.shape[:3], np.float32)
        score = np.empty(len(batch), np.float32)
        for i in range(len(batch)):
            try:
                self._request.start_async({"image": batch[i : i + 1]})
                done = self._request.wait_for(round(deadline_s * 1000))
            except RuntimeError as error:
                raise EngineError(f"OpenVINO failed: {_cause(error)}") from error
            if not done:
                self._lost = EngineLost(
                    f"OpenVINO has not answered for {deadline_s:g} s: restart the program; where "
                    "it comes back, stop what else uses this machine's processor"
                )
                raise self._lost
            outputs = self._request.results
            heatmap[i], score[i] = outputs["heatmap"][0], outputs["score"][0]
        return Inference(score, heatmap)

    def close(self) -> None:
        if self._lost is None:  # else it is still in use, and giving it back could wait for ever
            self._request = None


def _cause(error: RuntimeError) -> str:
    """The last line of OpenVINO's long messages holds the reason."""
    return str(error).strip().split("\n")[-1]
