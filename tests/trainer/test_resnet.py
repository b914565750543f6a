"""A backbone from a file: ResNets with torchvision's names."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from edge.base.files import digest
from edge.engine.verify import FULL, compare
from tests.support.commands import draem_in_process
from tests.support.training import ALONE, adapt_statistics, run_onnx, small_settings
from trainer.network.features.backbone import BackboneError, backbone_name, load_encoder
from trainer.network.make import make_network
from trainer.network.onnx_export import build_onnx
from trainer.network.spec import NetworkSpec
from trainer.training.checkpoint import Checkpoint
from trainer.training.golden import infer
from trainer.training.job import read_sources
from trainer.training.options import with_backbone
from trainer.training.state import initial_state

BASIC = "resnet-basic-64-2-1-1"
WIDE = "resnet-bottleneck-128-1-2-1"


class Reference:
    """A state dict of random weights as it is made, and the network computed from it."""

    def __init__(self, kind: str, width: int, blocks: tuple[int, ...]) -> None:
        self.kind, self.width, self.blocks = kind, width, blocks
        self.state: dict[str, Tensor] = {"fc.weight": torch.zeros(3, 3)}
        self.generator = torch.Generator().manual_seed(0)

    def conv(self, x: Tensor, name: str, outputs: int, kernel: int, stride: int = 1) -> Tensor:
        norm = name.replace("conv", "bn") if "conv" in name else name[:-1] + "1"
        shape, draw = (outputs, x.shape[1], kernel, kernel), self.generator
        if f"{name}.weight" not in self.state:
            scale = (2 / (x.shape[1] * kernel**2)) ** 0.5
            self.state[f"{name}.weight"] = scale * torch.randn(shape, generator=draw)
            for part in ("running_mean", "running_var", "weight", "bias"):
                low = 0.5 if part in ("running_var", "weight") else -0.1
                self.state[f"{norm}.{part}"] = low + 0.2 * torch.rand(outputs, generator=draw)
        x = conv2d(x, self.state[f"{name}.weight"], stride=stride, padding=kernel // 2)
        parts = (self.state[f"{norm}.{p}"] for p in ("running_mean", "running_var"))
        mean, variance = parts
        gain, bias = self.state[f"{norm}.weight"], self.state[f"{norm}.bias"]
        return batch_norm(x, mean, variance, gain, bias, eps=1e-5)

    def block(self, x: Tensor, name: str, planes: int, stride: int) -> Tensor:
        if self.kind == "basic":
            outputs = planes
            y = relu(self.conv(x, f"{name}.conv1", planes, 3, stride))
            y = self.conv(y, f"{name}.conv2", planes, 3)
        else:
            outputs, middle = 4 * planes, planes * self.width // 64
            y = relu(self.conv(x, f"{name}.conv1", middle, 1))
            y = relu(self.conv(y, f"{name}.conv2", middle, 3, stride))
            y = self.conv(y, f"{name}.conv3", outputs, 1)
        if stride != 1 or x.shape[1] != outputs:
            x = self.conv(x, f"{name}.downsample.0", outputs, 1, stride)
        return relu(x + y)

    def features(self, image: Tensor) -> list[Tensor]:
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        x = relu(self.conv((image.flip(1) - mean) / deviation, "conv1", 64, 7, 2))
        x = max_pool2d(x, 3, 2, 1)
        features = []
        for layer, count in enumerate(self.blocks, start=1):
            for i in range(count):
                stride = 2 if i == 0 and layer > 1 else 1
                x = self.block(x, f"layer{layer}.{i}", 32 * 2**layer, stride)
            features.append(x)
        return features


@pytest.fixture(params=[("basic", 64, (2, 1, 1)), ("bottleneck", 128, (1, 2, 1))])
def reference(request: pytest.FixtureRequest) -> Reference:
    made = Reference(*request.param)
    made.features(torch.rand(1, 3, 64, 64))  # which draws the weights
    return made


def test_features_are_those_of_the_state_dict(reference: Reference, tmp_path: Path) -> None:
    torch.save(reference.state, tmp_path / "resnet.pth")
    name = backbone_name(str(tmp_path / "resnet.pth"))
    assert name in (BASIC, WIDE)
    encoder = load_encoder(name, tmp_path / "resnet.pth")
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        found = encoder(image)
    for feature, expected in zip(found, reference.features(image), strict=True):
        torch.testing.assert_close(feature, expected, rtol=1e-3, atol=1e-3)
    assert [f.shape[1] for f in found] == encoder.channels


def test_an_exported_resnet_survives(
    reference: Reference, good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    torch.save(reference.state, tmp_path / "resnet.pth")
    spec = NetworkSpec("features", 8, 8, 13, backbone_name(str(tmp_path / "resnet.pth")))
    torch.manual_seed(0)
    network = make_network(spec, encoder_weights=tmp_path / "resnet.pth")
    adapt_statistics(network, good_frames)
    exported = run_onnx(build_onnx(network, 64, 64), good_frames, tmp_path)
    assert compare(*exported, *infer(network, good_frames)).within(FULL)


def test_a_product_is_trained_on_a_backbone_of_ones_own(images: Path, tmp_path: Path) -> None:
    reference = Reference("basic", 64, (1, 1, 1))
    reference.features(torch.rand(1, 3, 64, 64))
    torch.save(reference.state, tmp_path / "own.pth")
    words = ("--product", "lid", "--backbone", "own.pth", "--input", "64", "--widths", "4/8",
             "--steps", "4", "--batch", "2")  # fmt: skip
    done = draem_in_process("train", str(images), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "products/lid/1/manifest.json").read_text())
    assert manifest["backbone"] == "resnet-basic-64-1-1-1"
    assert manifest["origin"]["backbone_sha256"] == digest(tmp_path / "own.pth")
    (tmp_path / "own.pth").write_bytes(b"no state dict")
    done = draem_in_process("train", str(images), "--restart", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "own.pth is not the state dict of a ResNet" in done.stderr


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("conv1.weight", torch.zeros(64, 1, 7, 7)),
        ("layer2.0.bn1.weight", torch.ones(1)),
        ("layer1.0.se.fc1.weight", torch.zeros(4, 4)),
        ("layer3.0.conv2.weight", torch.full((256, 256, 3, 3), torch.nan)),
    ],
)
def test_another_networks_weights_are_refused(name: str, tensor: Tensor, tmp_path: Path) -> None:
    """A gray stem, one value for all channels, squeeze-excitation, and no numbers."""
    reference = Reference("basic", 64, (1, 1, 1))
    reference.features(torch.rand(1, 3, 64, 64))
    torch.save(reference.state | {name: tensor}, tmp_path / "other.pth")
    found = backbone_name(str(tmp_path / "other.pth"))
    with pytest.raises(BackboneError, match="not the state dict of a ResNet"):
        load_encoder(found, tmp_path / "other.pth")


def test_an_unfinished_training_survives_another_backbone(images: Path, tmp_path: Path) -> None:
    """One that has changed is not resumed with; one that does not exist discards nothing."""
    reference = Reference("basic", 64, (1, 1, 1))
    reference.features(torch.rand(1, 3, 64, 64))
    torch.save(reference.state, tmp_path / "own.pth")
    settings = with_backbone(
        small_settings(
            network="features", images=str(images), products=str(tmp_path / "products"),
            backbone=str(tmp_path / "own.pth"), height=64, width=64,
        )
    )  # fmt: skip
    digest = read_sources(settings).training_images().digest
    saved = initial_state(settings, ALONE, [torch.rand(2, 3, 64, 64)]).saved()
    checkpoint = Checkpoint(settings, digest, 1, saved)
    checkpoint.save(tmp_path / "runs/lid")
    reference.state["bn1.bias"] += 1
    torch.save(reference.state, tmp_path / "own.pth")
    done = draem_in_process("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert done.returncode == 2
    assert "has changed since the training started" in done.stderr
    words = ("--product", "lid", "--restart", "--backbone", "nonsense")
    done = draem_in_process("train", str(images), *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no backbone nonsense" in done.stderr
    assert (tmp_path / "runs/lid/checkpoint.pt").is_file()
