"""The GPU engine: plans of TensorRT, and of its flavour for RTX cards, on one GPU."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError, EngineLost
from edge.engine import INFER_S, LOAD_S, Inference, check_batch
from edge.engine.cuda import find_gpu
from edge.engine.device_thread import DeviceThread
from edge.engine.plan import ANY_DEVICE, Key
from edge.engine.tensorrt_library import library, missing
from edge.engine.tensorrt_plan import CLOSED, LoadedPlan
from edge.product.product import Product

PRECISION = "f16"
PRECISIONS = (PRECISION, "int8")


def plan_key(product: Product, flavour: str, precision: str = PRECISION) -> Key:
    """The key of this product's plan on this GPU. Raises EngineError where it cannot run."""
    if lack := missing(flavour):
        raise EngineError(lack)
    gpu = find_gpu()
    anywhere = ahead_key(product, flavour, gpu.capability, precision)
    return anywhere.model_copy(update={"device": gpu.name, "sm_count": gpu.sm_count})


def ahead_key(product: Product, flavour: str, capability: str, precision: str = PRECISION) -> Key:
    """The key of a plan that was compiled without its device, for any of one capability (8.6)."""
    return Key(
        model=product.model_digest,
        flavour=flavour,
        version=str(library(flavour).__version__),
        device=ANY_DEVICE,
        capability=capability,
        precision=precision,
        shape=f"{product.shape[0]}x{product.shape[1]}x3",
    )


class TensorRtEngine(Closeable):
    """`infer` on the GPU, in float16 and integers. Loaded from a plan; warm when it is made."""

    def __init__(
        self, plan: bytes, shape: tuple[int, int], batches: Sequence[int], flavour: str
    ) -> None:
        self._shape = (*shape, 3)
        self._sizes = sorted(batches)
        self._plan = LoadedPlan(library(flavour), shape)
        self._owner: DeviceThread | None = DeviceThread("gpu")
        try:
            self._owner.call(partial(self._plan.load, plan, batches), LOAD_S)
            for size in self._sizes:
                self._judge(np.zeros((size, *self._shape), np.uint8), LOAD_S)
        except BaseException:
            self.close()
            raise

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        check_batch(batch, self._shape)
        return self._judge(batch, INFER_S)

    def close(self) -> None:
        owner, self._owner = self._owner, None
        if owner is None:
            return
        try:
            owner.call(self._plan.close, INFER_S)
        except EngineLost:
            return  # reported when it was lost
        owner.end()

    def _judge(self, batch: NDArray[np.uint8], deadline_s: float) -> Inference:
        """In the largest lanes that fit; the caller waits for the owner's thread."""
        owner = self._owner
        if owner is None:
            raise EngineError(CLOSED)
        heatmap = np.empty(batch.shape[:3], np.float32)
        score = np.empty(len(batch), np.float32)
        start = 0
        while start < len(batch):
            size = max(size for size in self._sizes if size <= len(batch) - start)
            part = slice(start, start + size)
            work = partial(self._plan.run, size, batch[part], score[part], heatmap[part])
            owner.call(work, deadline_s)
            start += size
        return Inference(score, heatmap)
