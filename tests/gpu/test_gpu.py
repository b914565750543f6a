"""On a machine with a GPU and pycuda: the device itself, then engines on it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.engine.build import build
from edge.base.errors import EngineError
from edge.engine.cuda import Device, find_gpu
from edge.engine.device_thread import DeviceThread
from edge.engine.runtimes import FLAVOURS, load, missing
from edge.engine.tensorrt import TensorRtEngine
from tests.conftest import Plant
from tests.support.fake_gpu import FakeGpu, plan, tensorrt_module

FRAMES = 10_000
GROWTH_MB = 5
OVERHEAD_MS = 0.3


@pytest.fixture(autouse=True)
def _needs_a_gpu() -> None:
    try:
        find_gpu()
    except EngineError as error:
        pytest.skip(str(error))


def test_memory_goes_up_and_down_on_one_stream() -> None:
    def there_and_back() -> bool:
        with Device() as device:
            sent = device.host((2**20,), np.uint8)
            got = device.host((2**20,), np.uint8)
            address = device.memory(sent.nbytes)
            for i in range(20):
                sent[:] = np.random.default_rng(i).integers(0, 256, sent.shape, np.uint8)
                device.upload(address, sent)
                device.download(got, address)
                device.synchronize()
                if not (got == sent).all():
                    return False
        return True

    for _ in range(5):  # each in a thread and a context of its own, all given back
        owner = DeviceThread("gpu test")
        assert owner.call(there_and_back, 60)
        owner.end()


def test_too_little_memory_is_an_error_that_leaves_the_device_usable() -> None:
    owner = DeviceThread("gpu test")

    def ask() -> None:
        with Device() as device:
            with pytest.raises(EngineError, match="no memory for frames"):
                device.memory(2**46)
            assert device.memory(2**10)

    owner.call(ask, 60)
    owner.end()


class OnRealCuda(FakeGpu):
    """The real driver watches for itself; the runtime of paper computes on the CPU."""

    def called(self, name: str, *, in_context: bool = True) -> Any:
        return None

    def load(self, address: int, nbytes: int) -> np.ndarray:
        import pycuda.driver as cuda

        cuda.Context.synchronize()  # what was queued before
        array = np.empty(nbytes, np.uint8)
        cuda.memcpy_dtoh(array, address)
        return array

    def store(self, address: int, value: np.ndarray) -> None:
        import pycuda.driver as cuda

        cuda.memcpy_htod(address, np.ascontiguousarray(value))

    def enqueue(self, work: Callable[[], None]) -> None:
        work()


def test_the_engine_runs_on_real_cuda_with_a_runtime_of_paper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For a card that no flavour at hand supports: context, memory, copies, threads are real."""
    gpu = OnRealCuda()
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_module(gpu))
    monkeypatch.setattr(Device, "stream", gpu.stream)
    frames = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    for _ in range(3):
        with TensorRtEngine(plan((64, 64), [1, 4]), (64, 64), [1, 4], "tensorrt") as engine:
            score, heatmap = engine.infer(frames)
            assert np.allclose(heatmap, frames.mean(axis=3) / 255)
            assert np.allclose(score, frames.mean(axis=3).max(axis=(1, 2)) / 255)


def used_mb() -> float:
    """This process's resident memory, and what is taken of the GPU's."""
    import pycuda.driver as cuda

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    host = pages * os.sysconf("SC_PAGE_SIZE")

    def taken() -> int:
        with Device():
            free, total = cuda.mem_get_info()
            return int(total - free)

    owner = DeviceThread("memory")
    device = owner.call(taken, 60)
    owner.end()
    return (host + device) / 2**20


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def engine(request: pytest.FixtureRequest, plant: Plant) -> Iterator[TensorRtEngine]:
    chosen = next(f for f in FLAVOURS if f == request.param)
    if lack := missing(chosen):
        pytest.skip(lack)
    build(plant.product, chosen)
    with load(plant.product, chosen) as engine:
        assert isinstance(engine, TensorRtEngine)
        yield engine


def test_ten_thousand_frames_do_not_grow_memory(engine: TensorRtEngine) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    first = engine.infer(frame).score
    for _ in range(FRAMES // 10):
        engine.infer(frame)
    before = used_mb()
    for _ in range(FRAMES):
        assert (engine.infer(frame).score == first).all()
    assert used_mb() - before < GROWTH_MB


def test_infer_adds_little_to_the_engines_own_time(
    engine: TensorRtEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own time is that of its copies and execution, in its own thread."""
    own: list[float] = []
    run = engine._plan.run

    def timed(*arguments: Any) -> None:
        start = time.perf_counter()
        run(*arguments)
        own.append(time.perf_counter() - start)

    monkeypatch.setattr(engine._plan, "run", timed)
    frame = np.zeros((1, 64, 64, 3), np.uint8)
    whole = []
    for _ in range(1000):
        start = time.perf_counter()
        engine.infer(frame)
        whole.append(time.perf_counter() - start)
    added_ms = 1000 * float(np.median(np.array(whole) - np.array(own)))
    print(f"infer adds {added_ms:.3f} ms")
    assert added_ms < OVERHEAD_MS
