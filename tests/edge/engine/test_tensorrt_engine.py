"""The GPU engine's order of operations, errors and threads, on a GPU of paper (fake_gpu.py)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from edge.base.errors import EngineError, EngineLost
from edge.engine import tensorrt
from edge.engine.tensorrt import TensorRtEngine
from tests.support.fake_gpu import FakeGpu, plan

SHAPE = (8, 16)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    gpu = FakeGpu()
    gpu.install(monkeypatch)
    return gpu


@pytest.fixture
def engine(gpu: FakeGpu) -> Iterator[TensorRtEngine]:
    with opened() as engine:
        gpu.calls.clear()
        yield engine


def opened(batches: tuple[int, ...] = (1, 4)) -> TensorRtEngine:
    return TensorRtEngine(plan(SHAPE, list(batches)), SHAPE, batches, "tensorrt")


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_any_batch_is_judged_in_the_lanes_there_are(engine: TensorRtEngine, count: int) -> None:
    batch = frames(count)
    score, heatmap = engine.infer(batch)
    assert np.allclose(heatmap, batch.mean(axis=3) / 255)
    assert np.allclose(score, batch.mean(axis=3).max(axis=(1, 2)) / 255)
    assert score.dtype == heatmap.dtype == np.float32


def test_a_frame_is_queued_whole_and_waited_for_once(gpu: FakeGpu, engine: TensorRtEngine) -> None:
    engine.infer(frames(1))
    assert gpu.calls == [
        "memcpy_htod_async",
        "execute_async_v3",
        "memcpy_dtoh_async",
        "memcpy_dtoh_async",
        "synchronize",
    ]


def test_nothing_is_set_or_allocated_once_it_runs(gpu: FakeGpu, engine: TensorRtEngine) -> None:
    engine.infer(frames(9))
    assert not {"mem_alloc", "pagelocked_empty", "set_tensor_address"} & set(gpu.calls)
    assert gpu.calls.count("synchronize") == 3, "4 + 4 + 1"


def test_one_thread_owns_the_gpu_whoever_calls(gpu: FakeGpu) -> None:
    """Loaded here, used in two other threads, closed in a third."""
    engine = opened()
    with ThreadPoolExecutor(2) as pool:
        scores = list(pool.map(lambda _: engine.infer(frames(1)).score, range(20)))
    assert (np.concatenate(scores) == scores[0]).all()
    closer = threading.Thread(target=engine.close)
    closer.start()
    closer.join()
    assert len(gpu.threads) == 1
    assert threading.get_ident() not in gpu.threads
    assert not gpu.memory, "memory was not given back"
    assert not gpu.locked, "page-locked memory was not given back"
    assert not gpu.current, "the context was not given back"


def test_it_is_warm_when_it_is_made(gpu: FakeGpu) -> None:
    with opened((1, 4)):
        assert gpu.calls.count("execute_async_v3") == 2, "each lane once"


@pytest.mark.parametrize(
    ("call", "failure", "says"),
    [
        ("mem_alloc", "memory", "has no memory for frames.*smaller --batch"),
        ("pagelocked_empty", "memory", "has no memory for frames"),
        ("create_execution_context", False, "too little free memory.*CUDA out of memory"),
        ("set_tensor_address", False, "set_tensor_address went wrong.*draem build"),
        ("set_input_shape", False, "set_input_shape went wrong"),
        ("set_optimization_profile_async", False, "went wrong"),
        ("execute_async_v3", False, "execute_async_v3 went wrong"),
        ("retain_primary_context", "error", "no room for a context"),
        ("Runtime", TypeError("factory function returned nullptr"), "cannot start .*update the"),
        ("init", "error", "finds no GPU.*nvidia-smi.*--flavour openvino"),
    ],
)
def test_an_engine_that_cannot_load_says_why_and_leaves_nothing(
    gpu: FakeGpu, call: str, failure: object, says: str
) -> None:
    gpu.fails[call] = error(failure)
    with pytest.raises(EngineError, match=says):
        opened()
    assert not gpu.memory
    assert not gpu.locked
    assert not gpu.current


def error(failure: object) -> object:
    """An exception of the driver by name; anything else is itself."""
    import pycuda.driver as cuda

    if failure == "memory":
        return cuda.MemoryError("cuMemAlloc failed: out of memory")
    if failure == "error":
        return cuda.Error("cuCtxCreate failed: unknown error")
    return failure


def test_a_plan_that_cannot_be_read_says_what_tensorrt_says(gpu: FakeGpu) -> None:
    with pytest.raises(EngineError, match=r"cannot load the plan: magic tag.*run 'draem build'"):
        TensorRtEngine(b"rubbish", SHAPE, [1], "tensorrt")
    assert not gpu.current


def test_a_plan_of_something_else_is_refused(gpu: FakeGpu) -> None:
    other = plan(SHAPE, [1], heatmap="uint8")
    with pytest.raises(EngineError, match="is not a DRAEM's"):
        TensorRtEngine(other, SHAPE, [1], "tensorrt")
    with pytest.raises(EngineError, match="is not a DRAEM's"):
        TensorRtEngine(plan((32, 32), [1]), SHAPE, [1], "tensorrt")
    with pytest.raises(EngineError, match=r"for the batches \[1, 4\], its record says \[1\]"):
        TensorRtEngine(plan(SHAPE, [1, 4]), SHAPE, [1], "tensorrt")


def test_a_wrong_batch_reaches_no_gpu(gpu: FakeGpu, engine: TensorRtEngine) -> None:
    wrong: list[Any] = [frames(1).astype(np.float32), frames(1)[0], frames(1)[:, :4]]
    for batch in wrong:
        with pytest.raises(EngineError, match="fit the frames first"):
            engine.infer(batch)
    assert gpu.calls == []


def test_closing_twice_is_fine_and_use_after_is_not(engine: TensorRtEngine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(frames(1))


def test_a_refused_frame_is_an_error_and_the_next_one_is_judged(
    gpu: FakeGpu, engine: TensorRtEngine
) -> None:
    gpu.fails["execute_async_v3"] = False
    with pytest.raises(EngineError, match="execute_async_v3 went wrong"):
        engine.infer(frames(1))
    gpu.fails.clear()
    assert np.allclose(engine.infer(frames(1)).score, frames(1).mean(axis=3).max() / 255)


def test_a_lost_device_is_told_at_once_and_for_good(gpu: FakeGpu, engine: TensorRtEngine) -> None:
    gpu.fails["synchronize"] = error("error")
    with pytest.raises(EngineLost, match=r"has failed \(.*unknown error\): restart.*Xid"):
        engine.infer(frames(1))
    gpu.fails.clear()
    gpu.calls.clear()
    with pytest.raises(EngineLost, match="has failed"):
        engine.infer(frames(1))
    assert gpu.calls == []


def test_a_hung_device_costs_a_deadline_once(
    gpu: FakeGpu, engine: TensorRtEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt, "INFER_S", 0.1)
    gpu.hang.clear()
    with pytest.raises(EngineLost, match=r"has not answered for 0\.1 s: restart"):
        engine.infer(frames(1))
    with pytest.raises(EngineLost):
        engine.infer(frames(1))
    engine.close()
    gpu.hang.set()


def infer_for_ever(engine: TensorRtEngine) -> None:
    while True:
        engine.infer(frames(0))


def test_closed_while_another_thread_infers_is_an_engine_error(
    gpu: FakeGpu, engine: TensorRtEngine
) -> None:
    gpu.hang.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.infer, frames(1))
        closing = pool.submit(engine.close)
        with pytest.raises(EngineError, match="closed"):
            infer_for_ever(engine)
        gpu.hang.set()
        assert first.result().score.shape == (1,)
        closing.result()


def test_results_belong_to_the_caller(engine: TensorRtEngine) -> None:
    score, heatmap = engine.infer(frames(1))
    kept = score.copy(), heatmap.copy()
    engine.infer(255 - frames(1))
    assert (score == kept[0]).all()
    assert (heatmap == kept[1]).all()
