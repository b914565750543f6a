"""A TensorRT plan on the GPU: its execution contexts, and the memory of each batch size.

TensorRT answers None or False where others raise, so every answer is checked.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError
from edge.engine.cuda import Device
from edge.engine.device_thread import RESTART
from edge.engine.tensorrt_library import log_of, started

CLOSED = "the engine is closed: load it again"
REBUILD = "run 'draem build' again"


class Lane(NamedTuple):
    """All that one batch size needs: a context with its addresses set, page-locked memory."""

    context: Any
    image: NDArray[np.uint8]
    heatmap: NDArray[np.float32]
    score: NDArray[np.float32]
    addresses: dict[str, int]


class LoadedPlan(Closeable):
    """A plan with a lane for each of its batch sizes; made anywhere, used in one thread only."""

    def __init__(self, trt: ModuleType, shape: tuple[int, int]) -> None:
        self._trt, self._shape = trt, (*shape, 3)
        self._errors: list[str] = []
        self._device: Device | None = None
        self._runtime: Any = None
        self._engine: Any = None
        self._lanes: dict[int, Lane] = {}

    def load(self, plan: bytes, batches: Sequence[int]) -> None:
        """Load the plan and allocate its lanes. Raises EngineError."""
        self._device = Device()
        self._runtime = started(self._trt.Runtime, log_of(self._trt, self._errors), self._errors)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError(f"TensorRT cannot load the plan: {self._last()}; {REBUILD}")
        self._check(batches)
        self._lanes = {size: self._lane(self._device, i, size) for i, size in enumerate(batches)}
        self._errors.clear()  # what was logged on the way did no harm

    def run(
        self,
        size: int,
        batch: NDArray[np.uint8],
        score: NDArray[np.float32],
        heatmap: NDArray[np.float32],
    ) -> None:
        """One batch of `size`, all of it queued, one synchronisation."""
        if self._device is None or size not in self._lanes:
            raise EngineError(CLOSED)
        lane = self._lanes[size]
        lane.image[:] = batch
        self._device.upload(lane.addresses["image"], lane.image)
        if not lane.context.execute_async_v3(self._device.stream):
            raise EngineError(f"TensorRT has failed: {self._last()}; where it goes on, {RESTART}")
        self._device.download(lane.heatmap, lane.addresses["heatmap"])
        self._device.download(lane.score, lane.addresses["score"])
        self._device.synchronize()
        heatmap[:], score[:] = lane.heatmap, lane.score

    def close(self) -> None:
        """In the order that TensorRT asks for; the CUDA context last."""
        self._lanes = {}
        self._engine = self._runtime = None
        if self._device is not None:
            self._device.close()

    def _check(self, batches: Sequence[int]) -> None:
        """Raise EngineError unless the plan has the expected tensors and batch sizes."""
        engine, trt = self._engine, self._trt
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        found = {
            name: (engine.get_tensor_mode(name), engine.get_tensor_dtype(name),
                   tuple(engine.get_tensor_shape(name))[1:])
            for name in names
        }  # fmt: skip
        into, out = trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT
        wanted = {
            "image": (into, trt.uint8, self._shape),
            "heatmap": (out, trt.float32, self._shape[:2]),
            "score": (out, trt.float32, ()),
        }
        if found != wanted:
            raise EngineError(f"the plan is not a DRAEM's (it has {found}): {REBUILD}")
        sizes = [
            int(engine.get_tensor_profile_shape("image", i)[2][0])
            for i in range(engine.num_optimization_profiles)
        ]
        if sizes != list(batches):
            raise EngineError(
                f"the plan is for the batches {sizes}, its record says {list(batches)}: {REBUILD}"
            )

    def _context(self) -> Any:
        """An execution context, or None where memory is short.

        By default the RTX flavour begins with kernels for any shape and replaces them while it
        runs, after the proof. EAGER makes it take the final ones before its first frame.
        """
        if not hasattr(self._engine, "create_runtime_config"):
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        eager = self._trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        return self._engine.create_execution_context(config)

    def _lane(self, device: Device, profile: int, size: int) -> Lane:
        frame = self._shape
        context = self._context()
        if context is None:
            raise EngineError(
                f"the GPU has too little free memory for batches of {size} ({self._last()}): close "
                "other programs that use it, or build with a smaller --batch"
            )
        self._must(context.set_optimization_profile_async(profile, device.stream))
        lane = Lane(
            context,
            device.host((size, *frame), np.uint8),
            device.host((size, *frame[:2]), np.float32),
            device.host((size,), np.float32),
            {},
        )
        self._must(context.set_input_shape("image", (size, *frame)))
        for name in ("image", "heatmap", "score"):
            lane.addresses[name] = device.memory(getattr(lane, name).nbytes)
            self._must(context.set_tensor_address(name, lane.addresses[name]))
        device.synchronize()
        return lane

    def _must(self, done: bool) -> None:
        if not done:
            raise EngineError(f"TensorRT has failed: {self._last()}; {REBUILD}")

    def _last(self) -> str:
        """The first error that TensorRT has logged since the last call: it is the cause."""
        words = self._errors[0] if self._errors else "it does not say why"
        self._errors.clear()
        return words
