"""What every engine promises. Each flavour that this machine has goes through all of it.

On a machine with a GPU 'just gpu' runs this too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.engine.build import build
from edge.base.errors import EngineError
from edge.engine import Engine
from edge.engine.runtimes import FLAVOURS, Flavour, load, missing
from edge.product.product import Product
from tests.conftest import Plant

BATCHES = {"tensorrt": [1, 4], "tensorrt_rtx": [1, 4], "openvino": [1]}


@pytest.fixture(scope="module", params=FLAVOURS)
def flavour(request: pytest.FixtureRequest, plant: Plant) -> Flavour:
    flavour: Flavour = request.param
    if lack := missing(flavour):
        pytest.skip(lack)
    if flavour != "openvino":  # the plant has that
        build(plant.product, flavour, BATCHES[flavour])
    return flavour


@pytest.fixture
def engine(flavour: Flavour, plant: Plant) -> Iterator[Engine]:
    with load(plant.product, flavour) as engine:
        yield engine


@pytest.fixture(scope="module")
def frames(plant: Plant) -> np.ndarray:
    with np.load(plant.product.path / "golden.npz") as stored:
        return np.asarray(stored["frames"])


def test_shapes_types_and_batches_of_any_size(engine: Engine, frames: np.ndarray) -> None:
    for count in (0, 1, 3, 4, 16):
        score, heatmap = engine.infer(frames[:count])
        assert score.shape == (count,)
        assert heatmap.shape == (count, 64, 64)
        assert score.dtype == heatmap.dtype == np.float32


def test_a_frame_has_one_answer(engine: Engine, frames: np.ndarray) -> None:
    """Today and tomorrow, and to rounding in any company."""
    score, heatmap = engine.infer(frames)
    again = engine.infer(frames)
    assert (again.score == score).all()
    assert (again.heatmap == heatmap).all()
    single = np.concatenate([engine.infer(frames[i : i + 1]).score for i in range(len(frames))])
    assert np.abs(single - score).max() < 0.01


def test_results_belong_to_the_caller(engine: Engine, frames: np.ndarray) -> None:
    first = engine.infer(frames[:1])
    kept = first.score.copy(), first.heatmap.copy()
    engine.infer(frames[8:9])
    assert (first.score == kept[0]).all()
    assert (first.heatmap == kept[1]).all()


def test_a_view_of_a_larger_picture_is_a_batch_too(engine: Engine, frames: np.ndarray) -> None:
    wide = np.zeros((1, 64, 128, 3), np.uint8)
    wide[:, :, 32:96] = frames[:1]
    assert (engine.infer(wide[:, :, 32:96]).score == engine.infer(frames[:1]).score).all()


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 32, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
    ],
)
def test_a_wrong_batch_is_an_engine_error(engine: Engine, batch: Any) -> None:
    with pytest.raises(EngineError, match="fit the frames"):
        engine.infer(batch)


def test_closing_twice_is_fine_and_use_after_is_not(flavour: Flavour, plant: Plant) -> None:
    engine = load(plant.product, flavour)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((1, 64, 64, 3), np.uint8))


def test_rubbish_in_the_place_of_a_plan_is_one_error(
    flavour: Flavour, plant: Plant, tmp_path: Path
) -> None:
    import hashlib
    import shutil

    from edge.engine.plan import Plan, read_plan, store_plan
    from edge.engine.runtimes import plan_key

    copy = Product(tmp_path, plant.product.manifest, None)
    shutil.copy(plant.product.model_path, tmp_path)
    record = read_plan(plant.product, plan_key(plant.product, flavour)).record
    rubbish = hashlib.sha256(b"rubbish").hexdigest()
    store_plan(copy, Plan(record.model_copy(update={"plan": rubbish}), b"rubbish"))
    with pytest.raises(EngineError, match=r"cannot load the plan.*draem build"):
        load(copy, flavour)
