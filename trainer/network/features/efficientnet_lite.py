"""EfficientNet-Lite without its last stages and its classifier: the frozen encoder of features.

Architecture: Tan and Le 2019 (arXiv 1905.11946) in Google's "lite" variants: no squeeze-excitation,
ReLU6 instead of swish, stem and first stage not scaled.
"""

import math
from typing import NamedTuple, Self

from torch import Tensor, nn

from trainer.network.features.encoder import Encoder
from trainer.network.features.frozen_conv import FrozenConv


class Stage(NamedTuple):
    """Inverted bottlenecks of one resolution: repeats, kernel, stride of the first, expansion."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
)
"""Of Lite0; the stages after these are not used."""

STEM = 32
EPSILON = 1e-3
TAPS = (2, 3, 5)
"""The stages whose outputs are the features."""

SCALING = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Factors of width and depth for each backbone."""


class Bottleneck(nn.Module):
    """Expansion (none in the first stage), depthwise convolution, projection; added to its input
    where both have the same shape.
    """

    def __init__(self, inputs: int, stage: Stage, outputs: int, stride: int) -> None:
        super().__init__()
        middle = inputs * stage.expansion
        layers = [FrozenConv(inputs, middle, 1)] if stage.expansion > 1 else []
        layers += [
            FrozenConv(middle, middle, stage.kernel, stride=stride, groups=middle),
            FrozenConv(middle, outputs, 1, activation=None),
        ]
        self.layers = nn.ModuleList(layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y if self.residual else y


class EfficientNetLite(Encoder):
    """`name` is 'lite0', 'lite1' or 'lite2'."""

    mean = (127, 127, 127)
    deviation = (128, 128, 128)

    def __init__(self, name: str) -> None:
        super().__init__()
        width, depth = SCALING[name]
        self.stem = FrozenConv(3, STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs = STEM
        for number, stage in enumerate(STAGES):
            outputs = _rounded(stage.channels * width)
            repeats = stage.repeats if number == 0 else math.ceil(stage.repeats * depth)
            blocks = nn.ModuleList()
            for i in range(repeats):
                blocks.append(Bottleneck(inputs, stage, outputs, stage.stride if i == 0 else 1))
                inputs = outputs
            self.stages.append(blocks)
        self.channels = [_rounded(STAGES[tap - 1].channels * width) for tap in TAPS]

    def encode(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        features = []
        for number, blocks in enumerate(self.stages, start=1):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            if number in TAPS:
                features.append(x)
        return features

    def fill(self, state: dict[str, Tensor]) -> Self:
        """Weights of the published state dict; the last stages are left out."""
        self.stem.fill(state, "_conv_stem", "_bn0", EPSILON)
        blocks = (block for stage in self.stages for block in stage)  # type: ignore[attr-defined]
        for number, block in enumerate(blocks):
            count = len(block.layers)
            names = ["_expand_conv", "_depthwise_conv", "_project_conv"][-count:]
            norms = ["_bn0", "_bn1", "_bn2"][-count:]
            for layer, conv, norm in zip(block.layers, names, norms, strict=True):
                layer.fill(state, f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}", EPSILON)
        return self


def _rounded(channels: float) -> int:
    """To a multiple of 8, and not more than a tenth down."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
