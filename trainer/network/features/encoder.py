"""EfficientNet-Lite without its last stages and its classifier: the frozen encoder of features.

Architecture: Tan and Le 2019 (arXiv 1905.11946) in Google's "lite" variants: no squeeze-excitation,
ReLU6 instead of swish, stem and first stage not scaled. Convolutions of stride 2 pad as TensorFlow
does ("SAME": one pixel more at the bottom and right), since the weights were trained so.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu6


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
TAPS = (2, 3, 5)
"""The stages whose outputs are the features, at strides 4, 8 and 16."""

SCALING = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Factors of width and depth for each backbone."""


class Conv(nn.Module):
    """A frozen convolution with its BatchNorm folded in, and ReLU6 where `clipped`."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1,
        clipped: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.groups, self.clipped = stride, groups, clipped
        self.register_buffer("weight", torch.zeros(outputs, inputs // groups, kernel, kernel))
        self.register_buffer("bias", torch.zeros(outputs))

    @property
    def pads(self) -> tuple[int, int]:
        """Pixels added before and after each axis."""
        total = self.weight.shape[-1] - self.stride
        return total // 2, total - total // 2

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.pads
        if before != after:
            x, before = pad(x, (before, after, before, after)), 0
        x = conv2d(x, self.weight, self.bias, self.stride, before, 1, self.groups)
        return relu6(x) if self.clipped else x


class Bottleneck(nn.Module):
    """Expansion (none in the first stage), depthwise convolution, projection; added to its input
    where both have the same shape.
    """

    def __init__(self, inputs: int, stage: Stage, outputs: int, stride: int) -> None:
        super().__init__()
        middle = inputs * stage.expansion
        layers = [Conv(inputs, middle, 1)] if stage.expansion > 1 else []
        layers += [
            Conv(middle, middle, stage.kernel, stride=stride, groups=middle),
            Conv(middle, outputs, 1, clipped=False),
        ]
        self.layers = nn.ModuleList(layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y if self.residual else y


class Encoder(nn.Module):
    """Images [N, 3, H, W] (BGR, 0..1) to features at strides 4, 8 and 16.

    `channels` are those of the three outputs.
    """

    def __init__(self, backbone: str = "lite0") -> None:
        super().__init__()
        width, depth = SCALING[backbone]
        self.stem = Conv(3, STEM, 3, stride=2)
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

    def forward(self, image: Tensor) -> list[Tensor]:
        # The weights were trained on RGB, (value - 127) / 128.
        x = self.stem((image.flip(1) * 255 - 127) / 128)
        features = []
        for number, blocks in enumerate(self.stages, start=1):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            if number in TAPS:
                features.append(x)
        return features


def _rounded(channels: float) -> int:
    """To a multiple of 8, and not more than a tenth down."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
