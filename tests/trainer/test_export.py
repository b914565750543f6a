"""model.onnx against the trained network, through real compilers."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edge.engine import openvino, runtimes
from edge.engine.verify import FULL, SCORE_TOLERANCE, compare
from edge.vision.roi import pooled_maximum
from tests.conftest import Plant
from tests.support.training import run_onnx
from trainer.network import onnx_graph
from trainer.network.onnx_export import build_onnx
from trainer.network.onnx_graph import diffused, exact, fold
from trainer.network.pixels.model import Draem
from trainer.network.pixels.onnx_nodes import INPUT_SCALE
from trainer.training.batches import to_tensor
from trainer.training.golden import infer

Factors = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def test_a_trained_network_survives_the_export(plant: Plant) -> None:
    with (
        np.load(plant.product.path / "golden.npz") as golden,
        runtimes.load(plant.product) as engine,
    ):
        score, heatmap = engine.infer(golden["frames"])
        found = compare(score, heatmap, golden["score"], golden["heatmap"])
        negative = compare(score, heatmap, golden["negative_score"], golden["negative_heatmap"])
        assert golden["score"][8:].max() > 0.3, "the anomalies are not found: the test says nothing"
    assert found.within(FULL), found
    assert not negative.within(FULL)
    assert negative.score_max > 5 * SCORE_TOLERANCE


def test_inputs_outputs_and_types_are_the_contract(model: Draem) -> None:
    proto = build_onnx(model, 64, 96)
    (image,) = proto.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    dims = [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim]
    assert dims == ["N", 64, 96, 3]
    assert {o.name: o.type.tensor_type.elem_type for o in proto.graph.output} == {
        "heatmap": onnx.TensorProto.FLOAT,
        "score": onnx.TensorProto.FLOAT,
    }
    first = next(n for n in proto.graph.node if "image" in n.input)
    assert first.op_type == "Cast"
    weights = {w.name: w.data_type for w in proto.graph.initializer}
    convolutions = [n for n in proto.graph.node if n.op_type == "Conv"]
    assert len(convolutions) == 51
    assert all(weights[n.input[1]] == onnx.TensorProto.FLOAT16 for n in convolutions)


@pytest.mark.parametrize("window", [1, 3, 21])
def test_the_smallest_input_any_batch_and_window_work(tmp_path: Path, window: int) -> None:
    model = Draem(2, 2, window).eval()
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 64, 3), dtype=np.uint8)
    score, heatmap = run_onnx(build_onnx(model, 32, 64), frames, tmp_path)
    assert compare(score, heatmap, *infer(model, frames)).within(FULL)
    pooled = [pooled_maximum(one, window) for one in heatmap]
    assert score == pytest.approx(pooled, abs=1e-5)


def test_batchnorm_is_folded() -> None:
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4).eval()
    for tensor in (norm.running_mean, norm.weight.data, norm.bias.data):
        assert tensor is not None
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.1, 2)  # type: ignore[arg-type]
    x = torch.rand(2, 3, 8, 8)
    weight, bias = fold(conv, norm)
    folded = nn.functional.conv2d(x, weight, bias, padding=1)
    assert torch.allclose(folded, norm(conv(x)), atol=1e-5)


def test_rounding_keeps_the_sum_of_each_kernel() -> None:
    weight = np.random.default_rng(0).normal(0, 3, (8, 6, 3, 3))
    plain = np.abs((weight.astype(np.float16).astype(float) - weight).sum((2, 3))).mean()
    better = np.abs((diffused(weight).astype(float) - weight).sum((2, 3))).mean()
    assert better < plain / 5
    assert np.abs(diffused(weight).astype(float) - weight).max() < 0.01


def test_biases_become_float16_numbers_by_a_factor_next_to_one() -> None:
    bias = np.array([1.2345678, -0.0337, 77.123, 0, 1e-7, np.inf, np.nan, 1e6], np.float32)
    factors = exact(bias)
    scaled = bias[:3] * factors[:3]
    np.testing.assert_allclose(scaled, scaled.astype(np.float16), rtol=1e-12)
    assert np.abs(factors - 1).max() < 2**-11
    assert factors[3:5].tolist() == [1, 1], "a small one keeps its error, which is smaller still"
    assert factors[5:].tolist() == [1, 1, 1], "what is no float16 number the proof refuses"


@pytest.fixture
def delicate() -> Draem:
    """Networks whose signals and biases are of one size, as in trained ones."""
    torch.manual_seed(3)
    model = Draem(4, 4)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
            module.momentum = None
    with torch.no_grad():
        model.train()(to_tensor(smooth_frames(), torch.device("cpu")))
    return model.eval()


def smooth_frames() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(60, 200, (4, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.asarray(cv2.resize(image, (64, 64)), np.uint8) for image in coarse])


def exported(
    model: Draem, path: Path, monkeypatch: pytest.MonkeyPatch, factors: Factors
) -> NDArray[np.float32]:
    """The maps of the exported networks with these factors between the convolutions."""
    import openvino as ov

    with monkeypatch.context() as patched:
        patched.setattr(onnx_graph, "exact", factors)
        onnx.save_model(build_onnx(model, 64, 64), str(path))
    compiled = ov.Core().compile_model(str(path), "CPU", openvino.CONFIG)
    return np.asarray(compiled(smooth_frames())["heatmap"])


def test_factors_between_convolutions_cancel_in_the_exported_maps(
    delicate: Draem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Powers of two round alike, so that any difference is one that was not divided out."""
    chance = np.random.default_rng(1)
    maps = [
        exported(delicate, tmp_path / "m.onnx", monkeypatch, factors)
        for factors in (no_factors, lambda b: np.exp2(chance.integers(-2, 3, len(b)) * 1.0))
    ]
    assert np.abs(maps[0] - maps[1]).max() < 1e-3


def test_exact_biases_bring_exported_maps_nearer(
    delicate: Draem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = infer(delicate, smooth_frames())[1]
    rounded, better = (
        np.abs(exported(delicate, tmp_path / "m.onnx", monkeypatch, factors) - trained).mean()
        for factors in (no_factors, exact)
    )
    assert better < rounded / 1.3


def test_the_exported_difference_is_that_of_reconstruction_and_image(
    delicate: Draem, tmp_path: Path
) -> None:
    """Both have the image's scale: a share of either that were left over would be a defect."""
    import openvino as ov

    proto = build_onnx(delicate, 64, 64)
    (sub,) = (node for node in proto.graph.node if node.op_type == "Sub")
    kind, shape = onnx.TensorProto.FLOAT16, ("N", 3, 64, 64)
    proto.graph.output.append(onnx.helper.make_tensor_value_info(sub.output[0], kind, shape))
    onnx.save_model(proto, str(tmp_path / "m.onnx"))
    compiled = ov.Core().compile_model(str(tmp_path / "m.onnx"), "CPU", openvino.CONFIG)
    found = np.asarray(compiled(smooth_frames())[sub.output[0]])
    image = to_tensor(smooth_frames(), torch.device("cpu"))
    with torch.inference_mode():
        true = (delicate(image).reconstruction - image).numpy()
    share = np.polyfit(true.ravel(), (found / INPUT_SCALE - true).ravel(), 1)[0]
    assert abs(share) < 5e-4


def no_factors(bias: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.ones(len(bias))


def test_tensorrts_parser_takes_the_model(model: Draem) -> None:
    """The RTX flavour compiles without a GPU; it is as strict as the one on the device."""
    trt = pytest.importorskip("tensorrt_rtx_bindings.tensorrt_rtx", reason="no RTX flavour here")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flag)
    parser = trt.OnnxParser(network, logger)
    ok = parser.parse(build_onnx(model, 64, 64).SerializeToString())
    assert ok, [str(parser.get_error(i)) for i in range(parser.num_errors)]
    assert network.get_input(0).dtype == trt.uint8
    assert {network.get_output(i).dtype for i in range(network.num_outputs)} == {trt.float32}
