"""A GPU on paper: the CUDA driver as pycuda shows it, and TensorRT's runtime; the only fake here.

It keeps the rules that real ones punish with a crash: a context is current in one thread at a time,
memory belongs to its context, nothing that was queued has happened before the synchronisation, a
context of execution runs only with its profile, shape and all addresses set. Its "network" is the
mean gray level: heatmap is that of each pixel's channels, from 0 to 1, and score its maximum.

`plan(shape, batches)` is what it can load. `gpu.fails[name]` makes a call of that name fail: an
exception is raised, anything else is returned.
"""

import json
import math
import sys
import threading
from collections.abc import Callable
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest


def plan(shape: tuple[int, int], batches: list[int], *, heatmap: str = "float32") -> bytes:
    return json.dumps({"shape": shape, "batches": batches, "heatmap": heatmap}).encode()


class FakeGpu:
    """Everything the fake modules know and were asked for."""

    name, capability, sm_count = "Paper 3000", (8, 6), 46
    stream = 77

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.fails: dict[str, Any] = {}
        self.wrong: dict[int, np.float32] = {}  # what batches of a size are wrong by
        self.alive: WeakSet[Any] = WeakSet()
        self.current: dict[int, Any] = {}  # thread -> context
        self.memory: dict[int, np.ndarray] = {}
        self.locked: set[int] = set()  # addresses of page-locked arrays
        self.queue: list[Any] = []
        self.hang = threading.Event()
        self.hang.set()

    def called(self, name: str, *, in_context: bool = True) -> Any:
        """Note a call, hold it to the rules, and fail where it shall."""
        thread = threading.get_ident()
        if in_context:
            assert self.current.get(thread), f"{name} without a current context in this thread"
            self.threads.add(thread)
        self.calls.append(name)
        failure = self.fails.get(name)
        if isinstance(failure, Exception):
            raise failure
        return failure

    def load(self, address: int, nbytes: int) -> np.ndarray:
        """What lies in the GPU's memory."""
        return self.memory[address]

    def store(self, address: int, value: np.ndarray) -> None:
        """Put an array into the GPU's memory."""
        self.memory[address][:] = value.view(np.uint8).ravel()

    def enqueue(self, work: Callable[[], None]) -> None:
        """To be done at the next synchronisation."""
        self.queue.append(work)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cuda = cuda_module(self)
        pycuda = ModuleType("pycuda")
        pycuda.driver = cuda  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pycuda", pycuda)
        monkeypatch.setitem(sys.modules, "pycuda.driver", cuda)
        monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_module(self))


def cuda_module(gpu: FakeGpu) -> ModuleType:
    """pycuda.driver."""
    cuda: Any = ModuleType("pycuda.driver")

    class Error(Exception):
        pass

    class MemoryError(Error):
        pass

    class Context:
        def push(self) -> None:
            gpu.called("push", in_context=False)
            gpu.current[threading.get_ident()] = self

        def detach(self) -> None:
            gpu.called("detach")
            assert not gpu.memory, "memory is left when the context goes"
            left = [type(one).__name__ for one in gpu.alive]
            assert not left, f"{left} outlive their context"
            del gpu.current[threading.get_ident()]

    class Device:
        def __init__(self, number: int) -> None:
            gpu.called("Device", in_context=False)

        @staticmethod
        def count() -> int:
            return 1

        def name(self) -> str:
            return gpu.name

        def compute_capability(self) -> tuple[int, int]:
            return gpu.capability

        def get_attribute(self, name: str) -> int:
            return {"sms": gpu.sm_count}[name]

        def total_memory(self) -> int:
            return 8 * 2**30

        def retain_primary_context(self) -> Context:
            gpu.called("retain_primary_context", in_context=False)
            return Context()

    class Allocation:
        def __init__(self, nbytes: int) -> None:
            gpu.called("mem_alloc")
            self.address = 4096 * (1 + len(gpu.memory) + len(gpu.calls))
            gpu.memory[self.address] = np.zeros(nbytes, np.uint8)

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            gpu.called("free")
            del gpu.memory[self.address]

    class Locked:
        """Holds page-locked memory; numpy keeps it as the `base` of its array."""

        def __init__(self, array: np.ndarray) -> None:
            self._array = array
            self.__array_interface__ = array.__array_interface__
            gpu.locked.add(array.ctypes.data)

        def free(self) -> None:
            gpu.called("free")
            gpu.locked.remove(self._array.ctypes.data)

    def pagelocked_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        gpu.called("pagelocked_empty")
        return np.asarray(Locked(np.empty(shape, dtype)))

    def copy_up(target: int, source: Any, stream: Any) -> None:
        gpu.called("memcpy_htod_async")
        assert source.ctypes.data in gpu.locked, "a copy from memory that is not page-locked"

        def copy() -> None:
            gpu.memory[target][:] = np.ascontiguousarray(source).view(np.uint8).ravel()

        gpu.queue.append(copy)

    def copy_down(target: Any, source: int, stream: Any) -> None:
        gpu.called("memcpy_dtoh_async")
        assert target.ctypes.data in gpu.locked, "a copy to memory that is not page-locked"

        def copy() -> None:
            target.view(np.uint8).ravel()[:] = gpu.memory[source]

        gpu.queue.append(copy)

    class Stream:
        handle = gpu.stream

        def __init__(self) -> None:
            gpu.called("Stream")

        def synchronize(self) -> None:
            gpu.called("synchronize")
            gpu.hang.wait()
            for work in gpu.queue:
                work()
            gpu.queue.clear()

    cuda.Error, cuda.MemoryError, cuda.LogicError = Error, MemoryError, Error
    cuda.Device, cuda.Stream = Device, Stream
    cuda.init = lambda: gpu.called("init", in_context=False)
    cuda.get_driver_version = lambda: 13000
    cuda.device_attribute = SimpleNamespace(MULTIPROCESSOR_COUNT="sms")
    cuda.mem_alloc, cuda.pagelocked_empty = Allocation, pagelocked_empty
    cuda.memcpy_htod_async, cuda.memcpy_dtoh_async = copy_up, copy_down
    module: ModuleType = cuda
    return module


class DataType(Enum):
    uint8 = 1
    float32 = 4


class Mode(Enum):
    INPUT = 0
    OUTPUT = 1


def tensorrt_module(gpu: FakeGpu) -> ModuleType:
    """What TensorRT's runtime shows: answers of None and False where it fails."""
    trt: Any = ModuleType("tensorrt")

    class ILogger:
        Severity = Enum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"])

    class Runtime:
        def __init__(self, log: Any) -> None:
            gpu.called("Runtime")
            self.log = log

        def deserialize_cuda_engine(self, data: bytes) -> Any:
            gpu.called("deserialize_cuda_engine")
            try:
                made = json.loads(data)
            except ValueError:
                self.log.log(ILogger.Severity.ERROR, "magic tag does not match")
                return None
            return Engine(self.log, made)

    class Device:
        """What outlives its context crashes a real driver."""

        def __new__(cls, *_: Any) -> Any:
            made = super().__new__(cls)
            gpu.alive.add(made)
            return made

    class Engine(Device):
        def __init__(self, log: Any, made: Any) -> None:
            height, width = made["shape"]
            self.log, self.batches = log, made["batches"]
            self.num_io_tensors, self.num_optimization_profiles = 3, len(self.batches)
            self.tensors = {
                "score": (Mode.OUTPUT, DataType.float32, (-1,)),
                "image": (Mode.INPUT, DataType.uint8, (-1, height, width, 3)),
                "heatmap": (Mode.OUTPUT, DataType[made["heatmap"]], (-1, height, width)),
            }

        def get_tensor_name(self, i: int) -> str:
            return list(self.tensors)[i]

        def get_tensor_mode(self, name: str) -> Mode:
            return self.tensors[name][0]

        def get_tensor_dtype(self, name: str) -> DataType:
            return self.tensors[name][1]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self.tensors[name][2]

        def get_tensor_profile_shape(self, name: str, i: int) -> list[tuple[int, ...]]:
            return [(self.batches[i], *self.tensors[name][2][1:])] * 3

        def create_execution_context(self) -> Any:
            if gpu.called("create_execution_context") is None:
                return ExecutionContext(self)
            self.log.log(ILogger.Severity.ERROR, "CUDA out of memory")
            return None

    class ExecutionContext(Device):
        def __init__(self, engine: Engine) -> None:
            self.engine = engine
            self.shape: tuple[int, ...] | None = None
            self.batch: int | None = None
            self.addresses: dict[str, int] = {}

        def answer(self, name: str) -> bool:
            failed = gpu.called(name) is not None
            if failed:
                self.engine.log.log(ILogger.Severity.ERROR, f"{name} went wrong")
            return not failed

        def set_optimization_profile_async(self, i: int, stream: int) -> bool:
            self.batch = self.engine.batches[i]
            return self.answer("set_optimization_profile_async")

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            assert self.batch == shape[0], "a shape that the profile does not have"
            self.shape = shape
            return self.answer("set_input_shape")

        def set_tensor_address(self, name: str, address: int) -> bool:
            self.addresses[name] = address
            return self.answer("set_tensor_address")

        def execute_async_v3(self, stream: int) -> bool:
            assert stream == gpu.stream
            assert self.addresses.keys() == self.engine.tensors.keys()
            assert self.shape is not None
            shape = self.shape

            def work() -> None:
                image = gpu.load(self.addresses["image"], math.prod(shape)).reshape(shape)
                heatmap = image.mean(axis=3, dtype=np.float32) / np.float32(255)
                heatmap += gpu.wrong.get(shape[0], np.float32(0))
                score = heatmap.max(axis=(1, 2))
                for name, value in (("heatmap", heatmap), ("score", score)):
                    gpu.store(self.addresses[name], value)

            queued = self.answer("execute_async_v3")
            if queued:
                gpu.enqueue(work)
            return queued

    trt.__version__ = "10.13.0"
    trt.ILogger, trt.Runtime, trt.TensorIOMode = ILogger, Runtime, Mode
    trt.uint8, trt.float32 = DataType.uint8, DataType.float32
    module: ModuleType = trt
    return module
