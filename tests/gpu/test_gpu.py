"""On a machine with a GPU and pycuda: the device itself, then engines on it."""

import resource
from pathlib import Path

import numpy as np
import pytest

from deploy.build import build
from edge.engine.cuda import Device, find_gpu
from edge.engine.flavours import FLAVOURS, load, missing
from edge.engine.owner import Owner
from edge.errors import EngineError
from tests.conftest import Plant

FRAMES = 10_000
GROWTH_MB = 20


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
        owner = Owner("gpu test")
        assert owner.call(there_and_back, 60)
        owner.end()


def test_too_little_memory_is_an_error_that_leaves_the_device_usable() -> None:
    owner = Owner("gpu test")

    def ask() -> None:
        with Device() as device:
            with pytest.raises(EngineError, match="no memory for frames"):
                device.memory(2**46)
            assert device.memory(2**10)

    owner.call(ask, 60)
    owner.end()


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_ten_thousand_frames_do_not_grow_memory(plant: Plant, flavour: str) -> None:
    chosen = next(f for f in FLAVOURS if f == flavour)
    if lack := missing(chosen):
        pytest.skip(lack)
    build(plant.product, chosen)
    frame = np.load(Path(plant.product.path) / "golden.npz")["frames"][:1]
    with load(plant.product, chosen) as engine:
        first = engine.infer(frame).score
        for _ in range(FRAMES // 10):
            engine.infer(frame)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(FRAMES):
            assert (engine.infer(frame).score == first).all()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1024 < GROWTH_MB
