"""The GPU engine: plans of TensorRT, and of its flavour for RTX cards, on one GPU.

The only file that imports either library. It asks for what both have had from 10.13 on, and checks
every answer: they say None or False where others raise.
"""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError, EngineLost
from edge.engine import Inference, check_batch
from edge.engine.cuda import CPU, Device, find_gpu
from edge.engine.device_thread import RESTART, DeviceThread
from edge.engine.plan import ANY_DEVICE, Key
from edge.product.product import Product

FLAVOURS = ("tensorrt", "tensorrt_rtx")
PRECISION = "f16"
LOAD_S, INFER_S = 300, 10
"""How long loading (the RTX flavour compiles its last step there) and one batch may take."""


def library(flavour: str) -> ModuleType:
    """The library of a flavour. Raises EngineError with the command that installs it."""
    try:
        if flavour == "tensorrt":
            import tensorrt as trt
        else:
            import tensorrt_rtx_bindings as trt
    except (ImportError, OSError) as error:  # OSError: a library of it is missing
        mend = (
            "on a Jetson it comes with JetPack (see docs/jetson.md), on a PC pip install "
            "'.[tensorrt]'" if flavour == "tensorrt" else "pip install '.[tensorrt-rtx]'"
        )  # fmt: skip
        raise EngineError(f"{flavour} is missing ({error}): {mend}, {CPU}") from None
    module: ModuleType = trt
    return module


def log_of(trt: ModuleType, lines: list[str]) -> Any:
    """A logger that keeps TensorRT's errors in `lines`; the rest it says is dropped."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                lines.append(message)

    return Log()


def missing(flavour: str) -> str | None:
    """What this device lacks to run a flavour, with its mend; None where it has all."""
    try:
        gpu = find_gpu()  # first: loading the library takes seconds and memory
        trt = library(flavour)
    except EngineError as error:
        return str(error)
    # The RTX flavour lists the cards that it knows; the other knows all that its driver does.
    known = getattr(trt, "ComputeCapability", None)
    if known is not None and f"SM{gpu.capability.replace('.', '')}" not in known.__members__:
        return (
            f"{flavour} {trt.__version__} does not know compute capability {gpu.capability} "
            f"({gpu.name}): pip install '.[tensorrt]', {CPU}"
        )
    return None


def plan_key(product: Product, flavour: str) -> Key:
    """The key of this product's plan on this GPU. Raises EngineError where it cannot run."""
    if lack := missing(flavour):
        raise EngineError(lack)
    gpu = find_gpu()
    anywhere = ahead_key(product, flavour, gpu.capability)
    return anywhere.model_copy(update={"device": gpu.name, "sm_count": gpu.sm_count})


def ahead_key(product: Product, flavour: str, capability: str) -> Key:
    """The key of a plan that was compiled without its device, for any of one capability (8.6)."""
    return Key(
        model=product.model_digest,
        flavour=flavour,
        version=str(library(flavour).__version__),
        device=ANY_DEVICE,
        capability=capability,
        precision=PRECISION,
        shape=f"{product.shape[0]}x{product.shape[1]}x3",
    )


def started(make: Any, log: Any, errors: list[str]) -> Any:
    """TensorRT's builder or runtime. Raises EngineError where it finds no CUDA that suits it."""
    try:
        return make(log)
    except (TypeError, RuntimeError) as error:  # its way to say that the constructor has failed
        why = errors[0] if errors else error
        raise EngineError(
            f"TensorRT cannot start ({why}): update the NVIDIA driver to its CUDA, {CPU}"
        ) from None


class Lane(NamedTuple):
    """All that one batch size needs: a context with its addresses set, page-locked memory."""

    context: Any
    image: NDArray[np.uint8]
    heatmap: NDArray[np.float32]
    score: NDArray[np.float32]
    addresses: dict[str, int]


class TensorRtEngine(Closeable):
    """`infer` on the GPU in float16. Loaded from a plan; warm when it is made."""

    def __init__(
        self, plan: bytes, shape: tuple[int, int], batches: Sequence[int], flavour: str
    ) -> None:
        self._shape = (*shape, 3)
        self._sizes = sorted(batches)
        self._errors: list[str] = []
        self._owner: DeviceThread | None = DeviceThread("gpu")
        self._device: Device | None = None
        try:
            trt = library(flavour)
            self._lanes = self._owner.call(lambda: self._load(trt, plan, batches), LOAD_S)
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
            owner.call(self._unload, INFER_S)
        except EngineLost:
            return  # told when it was lost
        owner.end()

    def _judge(self, batch: NDArray[np.uint8], deadline_s: float) -> Inference:
        """In lanes of as many images as fit; the caller waits for the owner's thread."""
        owner = self._owner
        if owner is None:
            raise EngineError(CLOSED)
        heatmap = np.empty(batch.shape[:3], np.float32)
        score = np.empty(len(batch), np.float32)
        start = 0
        while start < len(batch):
            size = max(size for size in self._sizes if size <= len(batch) - start)
            part = slice(start, start + size)
            work = partial(self._run, size, batch[part], score[part], heatmap[part])
            owner.call(work, deadline_s)
            start += size
        return Inference(score, heatmap)

    def _load(self, trt: ModuleType, plan: bytes, batches: Sequence[int]) -> dict[int, Lane]:
        """In the owner's thread: the plan, and a lane for each of its batch sizes."""
        self._device = Device()
        self._runtime = started(trt.Runtime, log_of(trt, self._errors), self._errors)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError(f"TensorRT cannot load the plan: {self._last()}; {REBUILD}")
        self._check(trt, batches)
        lanes = {size: self._lane(trt, i, size) for i, size in enumerate(batches)}
        self._errors.clear()  # what it said on the way did no harm
        return lanes

    def _check(self, trt: ModuleType, batches: Sequence[int]) -> None:
        """The plan's own word on its tensors and batch sizes. Raises EngineError."""
        engine = self._engine
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

    def _context(self, trt: ModuleType) -> Any:
        """A context of execution, or None.

        The RTX flavour would begin with kernels for any shape and change to better ones later on,
        after the proof: it shall have the final ones before its first frame.
        """
        if not hasattr(self._engine, "create_runtime_config"):
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        return self._engine.create_execution_context(config)

    def _lane(self, trt: ModuleType, profile: int, size: int) -> Lane:
        assert self._device is not None
        device, frame = self._device, self._shape
        context = self._context(trt)
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

    def _run(
        self,
        size: int,
        batch: NDArray[np.uint8],
        score: NDArray[np.float32],
        heatmap: NDArray[np.float32],
    ) -> None:
        """In the owner's thread: one batch, all of it queued, one synchronisation."""
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

    def _unload(self) -> None:
        """In the owner's thread, in the order that TensorRT asks for; the context last."""
        self._lanes = {}
        self._engine = self._runtime = None
        if self._device is not None:
            self._device.close()

    def _must(self, done: bool) -> None:
        if not done:
            raise EngineError(f"TensorRT has failed: {self._last()}; {REBUILD}")

    def _last(self) -> str:
        """TensorRT's last words, its first being the cause."""
        words = self._errors[0] if self._errors else "it does not say why"
        self._errors.clear()
        return words


CLOSED = "the engine is closed: load it again"
REBUILD = "run 'draem build' again"
