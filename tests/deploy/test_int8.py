"""Reduced precision: quantised by the real NNCF, proven, chosen by record, or refused."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import pytest
import torch
from numpy.typing import NDArray

from deploy.engine.build import AUTO, build
from deploy.engine.quantise import _as_input, _float_layers, _parameters, quantised
from deploy.engine.tensorrt_int8 import quantised_layers
from edge.base.errors import EngineError
from edge.base.files import digest
from edge.engine import accuracy, openvino, runtimes
from edge.engine.plan import drop_other_precisions, read_plan, records, store_plan
from edge.product.model_parts import HEAD, MEMORY
from edge.product.product import Product, read_version
from edge.product.simulated import SIMULATED
from tests.conftest import Plant
from trainer.network.features.model import FeatureDraem
from trainer.network.make import make_network
from trainer.network.onnx_export import build_onnx
from trainer.network.spec import NetworkSpec

nncf = pytest.importorskip("nncf", reason="the extra int8 is not installed")


@pytest.fixture
def product(plant: Plant, tmp_path: Path) -> Product:
    """A copy with a float32 engine, that a test may spoil."""
    return read_version(shutil.copytree(plant.product.path, tmp_path / "products" / "lid" / "1"))


def with_figures(product: Product, **figures: float) -> Product:
    """The product as if the trained network had had these figures."""
    path = product.path / SIMULATED
    with np.load(path) as stored:
        values = dict(stored)
    np.savez(path, **values | {name: np.float64(value) for name, value in figures.items()})
    files = product.manifest.files | {SIMULATED: digest(path)}
    return Product(product.path, product.manifest.model_copy(update={"files": files}), None)


def allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small test network lose more than real ones may: it is rough in eight bits."""
    monkeypatch.setattr(accuracy, "AUROC_LOSS", 0.2)
    monkeypatch.setattr(accuracy, "AP_LOSS", 0.2)
    monkeypatch.setattr("edge.engine.verify.REDUCED_TOLERANCE", 0.3)


def test_an_int8_engine_is_proven_and_serves_in_the_place_of_float32(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch)
    told: list[str] = []
    record = build(product, "openvino", (1,), lambda share, phase: told.append(phase), "int8")
    assert record.key.precision == "int8"
    assert told[0] == "quantising"
    assert {"image_auroc", "image_auroc_float32", "pixel_ap", "pixel_ap_float32"} <= set(
        record.proof
    )
    assert [one.key.precision for one in records(product)] == ["int8"], "float32 has gone"
    assert runtimes.proven_plan(product).record == record
    with runtimes.load(product) as engine:
        assert engine.infer(np.zeros((1, 64, 64, 3), np.uint8)).score.shape == (1,)
    build(product, "openvino")
    assert [one.key.precision for one in records(product)] == ["f32"], "built last, serves"


def test_int8_for_tensorrt_keeps_the_ends_in_float_and_every_scale_symmetric(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch)
    model = quantised(product, per_tensor=True, report=lambda share, phase: None)
    layers = quantised_layers(model)
    convolutions = [
        operation.get_friendly_name().removesuffix("/WithoutBiases")
        for operation in openvino.read_model(product).get_ordered_ops()
        if "Convolution" in operation.get_type_name()
    ]
    assert len(convolutions) == 51
    assert layers.keys() < set(convolutions)
    assert not layers.keys() & {convolutions[0], convolutions[-1]}
    assert len(layers) > 20
    assert all(layer.step > 0 for layer in layers.values())
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "FakeQuantize" and operation.get_output_size():
            low, high = (operation.input_value(i).get_node().data for i in (1, 2))
            is_input = "Constant" not in operation.input_value(0).get_node().get_type_name()
            assert low.size == 1 or not is_input or "fq_weights" in operation.get_friendly_name()
            assert np.allclose(low, 0) or np.allclose(low, -high, rtol=0.01)


def test_int8_leaves_everything_behind_the_softmax_in_float() -> None:
    """And products of matrices, as a memory of good features has."""
    image = ov.opset13.parameter([1, 3, 8, 8], np.float32, "image")
    weight = ov.opset13.constant(np.ones((2, 3, 1, 1), np.float32))
    first, last = (
        ov.opset13.convolution(image, weight, [1, 1], [0, 0], [0, 0], [1, 1], name=name)
        for name in ("first", "last")
    )
    flat = ov.opset13.reshape(last, ov.opset13.constant([2, 64]), special_zero=False)
    memory = ov.opset13.matmul(
        flat, ov.opset13.constant(np.ones((64, 5), np.float32)), False, False, name="memory"
    )
    nearest = ov.opset13.reduce_min(memory, ov.opset13.constant([1]), name="nearest")
    softmax = ov.opset13.softmax(first, 1, name="softmax")
    heat = ov.opset13.avg_pool(softmax, [1, 1], [0, 0], [0, 0], [3, 3], True, name="pooled")
    found = _float_layers(ov.Model([heat, nearest], [image], "small"))
    assert set(found) >= {"first", "last", "memory", "softmax", "pooled"}
    assert "nearest" not in found, "nothing is lost in a minimum"


def test_int8_leaves_the_memory_and_the_last_convolution_in_float(
    good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Nothing that they read or give is rounded to eight bits for them, on either runtime."""
    network = make_network(NetworkSpec("features", 8, 8, 13, "lite0", 64))
    assert isinstance(network, FeatureDraem)
    assert network.memory is not None
    torch.nn.init.normal_(network.memory.get_buffer("patterns"))
    network.memory.get_buffer("mixture").copy_(torch.tensor([1.0, 0.5, -3]))
    onnx.save_model(build_onnx(network.eval(), 64, 64), str(tmp_path / "model.onnx"))
    model = ov.Core().read_model(tmp_path / "model.onnx")
    model.reshape([1, 64, 64, 3])
    quantised_model = nncf.quantize(
        model,
        nncf.Dataset(list(good_frames[:2]), _as_input),
        subset_size=2,
        ignored_scope=nncf.IgnoredScope(names=_float_layers(model), validate=False),
        advanced_parameters=_parameters(nncf, per_tensor=True),
    )
    kept: set[str] = set()
    ahead: set[str] = set()
    rounded = []
    for operation in quantised_model.get_ordered_ops():
        name = operation.get_friendly_name()
        sources = {
            operation.input_value(i).get_node().get_friendly_name()
            for i in range(operation.get_input_size())
        }
        if name.startswith((HEAD, MEMORY, "sigmoid")) or sources & ahead:
            ahead.add(name)
            kept.add(operation.get_type_name())
            rounded += [source for source in sources if "fq_" in source]
    assert {"Convolution", "AvgPool", "ReduceMin", "ReduceSum", "Sqrt", "Interpolate", "Sigmoid",
            "MatMul", "ReduceMax"} <= kept  # fmt: skip
    assert "FakeQuantize" not in kept
    assert not rounded
    layers = quantised_layers(quantised_model)
    assert len(layers) > 20
    assert not [name for name in layers if name.startswith((HEAD, MEMORY))]


@pytest.mark.skipif("bf16" not in openvino.precisions(), reason="this CPU has no bfloat16")
def test_int8_has_the_same_proof_as_bfloat16_which_says_by_how_much_it_fails(
    product: Product,
) -> None:
    assert build(product, "openvino", precision="bf16").key.precision == "bf16"
    before = records(product)
    spoiled = with_figures(product, pixel_ap=1.0)
    with pytest.raises(EngineError, match=r"pixel AP 0\.\d{4} instead of 1\.0000 \(allowed 0\.01"):
        build(spoiled, "openvino", precision="bf16")
    assert records(product) == before, "what fails does not serve"


def test_int8_without_simulated_anomalies_is_refused_and_auto_goes_on(product: Product) -> None:
    files = {k: v for k, v in product.manifest.files.items() if k != SIMULATED}
    bare = Product(product.path, product.manifest.model_copy(update={"files": files}), None)
    with pytest.raises(EngineError, match=r"has no simulated anomalies .*train it again"):
        build(bare, "openvino", precision="int8")
    assert build(bare, "openvino", precision=AUTO).key.precision == "f32"


def test_int8_that_was_built_last_serves_where_two_are_left(product: Product) -> None:
    """A kill between writing the new record and removing the old one leaves both."""
    old = read_plan(product, runtimes.plan_key(product, "openvino"))
    key = old.record.key.model_copy(update={"precision": "int8"})
    newer = old.record.model_copy(update={"key": key, "created": "9999-01-01T00:00:00+00:00"})
    store_plan(product, old._replace(record=newer))
    assert runtimes.serving_key(product, "openvino") == key
    unproven = old._replace(record=newer.model_copy(update={"proven": False}))
    store_plan(product, unproven)
    assert runtimes.serving_key(product, "openvino") == old.record.key
    drop_other_precisions(product, old.record.key)
    assert len(list(product.engines.iterdir())) == 2, "one record and its plan"


@pytest.mark.skipif("f16" in openvino.precisions(), reason="this CPU computes in float16")
def test_int8_is_refused_where_the_runtime_has_no_such_precision(product: Product) -> None:
    with pytest.raises(EngineError, match="does not compute in float16: choose from float32"):
        build(product, "openvino", precision="f16")
