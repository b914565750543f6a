"""The plans that engines load from."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.engine.build import build
from edge.base.errors import EngineError
from edge.engine import runtimes
from edge.engine.plan import Record
from edge.product.product import Product, read_version
from tests.conftest import Plant


@pytest.fixture
def product(plant: Plant, tmp_path: Path) -> Product:
    """A copy that a test may spoil."""
    import shutil

    return read_version(shutil.copytree(plant.product.path, tmp_path / "lid" / "1"))


def test_a_plan_that_its_record_does_not_name_is_refused(product: Product) -> None:
    plan = next(product.engines.glob("*.plan"))
    plan.write_bytes(plan.read_bytes()[:-1])
    with pytest.raises(
        EngineError, match="is not the plan that its record names: run 'draem build"
    ):
        runtimes.load(product)


@pytest.mark.parametrize("field", ["model", "version", "device", "precision"])
def test_a_plan_for_something_else_names_the_field(product: Product, field: str) -> None:
    record = next(product.engines.glob("*.json"))
    values = json.loads(record.read_text())
    values["key"][field] = "another"
    other = Record.model_validate(values).key.name
    record.unlink()
    record.with_name(f"{other}.json").write_text(json.dumps(values))
    with pytest.raises(EngineError, match=f"built for another {field}"):
        runtimes.load(product)


def test_an_unproven_plan_is_refused(product: Product) -> None:
    record = next(product.engines.glob("*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"proven": False}))
    with pytest.raises(EngineError, match="'proven'"):
        runtimes.load(product)


def test_a_model_that_misses_its_golden_frames_is_not_stored(product: Product) -> None:
    for path in product.engines.iterdir():
        path.unlink()
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    values["score"] = values["score"] + 0.02
    np.savez(product.path / "golden.npz", **values)
    with pytest.raises(EngineError, match=r"misses the .* in batches of 1: score by 0\.0[12]"):
        build(product, "openvino")
    assert list(product.engines.iterdir()) == []


def test_golden_frames_that_cannot_tell_are_refused(product: Product) -> None:
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    values["negative_score"], values["negative_heatmap"] = values["score"], values["heatmap"]
    np.savez(product.path / "golden.npz", **values)
    with pytest.raises(EngineError, match="cannot tell"):
        build(product, "openvino")


def test_a_manifest_with_another_window_than_its_model_is_refused(product: Product) -> None:
    """Whole maps would be scored with the one, and regions of interest with the other."""
    manifest = product.manifest.model_copy(update={"score_window": 21})
    with pytest.raises(EngineError, match="score_window of 21"):
        build(replace(product, manifest=manifest), "openvino")


def test_a_model_that_openvino_cannot_read_is_one_line(product: Product) -> None:
    product.model_path.write_bytes(b"no model")
    with pytest.raises(EngineError, match="cannot compile"):
        build(product, "openvino")
