"""The contract that every engine keeps, and the plans that it loads from."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.build import build
from edge.engine import openvino
from edge.engine.plan import Record
from edge.errors import EngineError
from edge.product import Product, read_version
from tests.conftest import Plant


@pytest.fixture
def product(plant: Plant, tmp_path: Path) -> Product:
    """A copy that a test may spoil."""
    import shutil

    return read_version(shutil.copytree(plant.product.path, tmp_path / "lid" / "1"))


def test_shapes_types_batches_and_determinism(plant: Plant) -> None:
    frames = np.load(plant.product.path / "golden.npz")["frames"]
    with openvino.load(plant.product) as engine:
        score, heatmap = engine.infer(frames)
        assert score.shape == (16,)
        assert heatmap.shape == (16, 64, 64)
        assert score.dtype == heatmap.dtype == np.float32
        kept = heatmap.copy()
        single = [engine.infer(frames[i : i + 1]) for i in range(16)]
        assert (np.concatenate([s.score for s in single]) == score).all()
        assert (heatmap == kept).all(), "results belong to the caller"


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 32, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
    ],
)
def test_a_wrong_batch_is_an_engine_error(plant: Plant, batch: np.ndarray) -> None:
    with openvino.load(plant.product) as engine, pytest.raises(EngineError, match="fit the frames"):
        engine.infer(batch)


def test_closing_twice_is_fine_and_use_after_is_not(plant: Plant) -> None:
    engine = openvino.load(plant.product)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((1, 64, 64, 3), np.uint8))


def test_a_plan_that_its_record_does_not_name_is_refused(product: Product) -> None:
    plan = next(product.engines.glob("*.plan"))
    plan.write_bytes(plan.read_bytes()[:-1])
    with pytest.raises(
        EngineError, match="is not the plan that its record names: run 'draem build"
    ):
        openvino.load(product)


@pytest.mark.parametrize("field", ["model", "version", "device", "precision"])
def test_a_plan_for_something_else_names_the_field(product: Product, field: str) -> None:
    record = next(product.engines.glob("*.json"))
    values = json.loads(record.read_text())
    values["key"][field] = "another"
    plan = record.with_suffix(".plan")
    other = Record.model_validate(values).key.name
    plan.rename(plan.with_name(f"{other}.plan"))
    record.unlink()
    record.with_name(f"{other}.json").write_text(json.dumps(values))
    with pytest.raises(EngineError, match=f"built for another {field}"):
        openvino.load(product)


def test_an_unproven_plan_is_refused(product: Product) -> None:
    record = next(product.engines.glob("*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"proven": False}))
    with pytest.raises(EngineError, match="'proven'"):
        openvino.load(product)


def test_a_model_that_misses_its_golden_frames_is_not_stored(product: Product) -> None:
    for path in product.engines.iterdir():
        path.unlink()
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    values["score"] = values["score"] + 0.02
    np.savez(product.path / "golden.npz", **values)
    with pytest.raises(EngineError, match=r"misses the trained network: score by 0\.0[12]"):
        build(product)
    assert list(product.engines.iterdir()) == []


def test_golden_frames_that_cannot_tell_are_refused(product: Product) -> None:
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    values["negative_score"], values["negative_heatmap"] = values["score"], values["heatmap"]
    np.savez(product.path / "golden.npz", **values)
    with pytest.raises(EngineError, match="cannot tell"):
        build(product)


def test_a_model_that_openvino_cannot_read_is_one_line(product: Product) -> None:
    product.model_path.write_bytes(b"no model")
    with pytest.raises(EngineError, match="cannot compile"):
        build(product)
