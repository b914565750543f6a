"""ResNet without its last stage and its classifier, from a state dict with torchvision's names.

Architecture: He et al. 2015 (arXiv 1512.03385), in torchvision's variant (the stride of a
bottleneck is that of its 3x3 convolution), which timm's `resnet` models share; wide ones too.
"""

import re
from collections.abc import Iterator
from typing import Self

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from trainer.network.features.encoder import Encoder
from trainer.network.features.frozen_conv import Activation, FrozenConv

EPSILON = 1e-5
PLANES = (64, 128, 256)
LAYERS = ("layer1", "layer2", "layer3")
PARTS = ("conv1.", "bn1.", *(f"{layer}." for layer in LAYERS))
NAME = re.compile(r"resnet-(basic|bottleneck)-(\d+)-(\d+)-(\d+)-(\d+)")


class ResidualBlock(nn.Module):
    """Two or three convolutions, added to the input or to its projection."""

    def __init__(self, inputs: int, middle: int, outputs: int, stride: int, kind: str) -> None:
        super().__init__()
        if kind == "basic":
            shapes = [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        else:
            shapes = [(inputs, middle, 1, 1), (middle, middle, 3, stride), (middle, outputs, 1, 1)]
        self.layers = nn.ModuleList(
            frozen(a, b, kernel, step, last=i + 1 == len(shapes))
            for i, (a, b, kernel, step) in enumerate(shapes)
        )
        self.projection = None
        if stride != 1 or inputs != outputs:
            self.projection = frozen(inputs, outputs, 1, stride, last=True)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return relu(y + (x if self.projection is None else self.projection(x)))


def frozen(
    inputs: int, outputs: int, kernel: int, stride: int, *, last: bool = False
) -> FrozenConv:
    activation: Activation | None = None if last else "relu"
    return FrozenConv(inputs, outputs, kernel, stride=stride, activation=activation, same=False)


class ResNet(Encoder):
    """`name` is resnet-(basic or bottleneck)-width-blocks-blocks-blocks, of the first three layers;
    the width is that of the first layer's 3x3 convolutions: 64, or 128 for a wide ResNet.
    """

    mean = (123.675, 116.28, 103.53)
    deviation = (58.395, 57.12, 57.375)

    def __init__(self, name: str) -> None:
        super().__init__()
        found = NAME.fullmatch(name)
        if not found:
            raise ValueError(f"{name} names no ResNet")
        kind, width, *blocks = found[1], *map(int, found.groups()[1:])
        self.stem = frozen(3, 64, 7, 2)
        self.stages = nn.ModuleList()
        self.channels, inputs = [], 64
        for planes, count, stride in zip(PLANES, blocks, (1, 2, 2), strict=True):
            outputs = planes if kind == "basic" else 4 * planes
            middle = planes * width // 64
            stage = nn.ModuleList()
            for i in range(count):
                stage.append(ResidualBlock(inputs, middle, outputs, 1 if i else stride, kind))
                inputs = outputs
            self.stages.append(stage)
            self.channels.append(outputs)

    def encode(self, x: Tensor) -> list[Tensor]:
        x = max_pool2d(self.stem(x), 3, 2, 1)
        features = []
        for stage in self.stages:
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
            features.append(x)
        return features

    def fill(self, state: dict[str, Tensor]) -> Self:
        """Weights of a state dict; the last stage and the classifier are left out.

        Raises KeyError or ValueError for another network's.
        """
        used = set()
        for layer, conv, norm in self._named():
            layer.fill(state, conv, norm, EPSILON)
            used |= {conv, norm}
        for name in state:
            if name.startswith(PARTS) and name.rpartition(".")[0] not in used:
                raise ValueError(f"{name} belongs to no ResNet")
        return self

    def _named(self) -> Iterator[tuple[FrozenConv, str, str]]:
        """Each convolution with the names of itself and of its BatchNorm."""
        yield self.stem, "conv1", "bn1"
        for part, stage in zip(LAYERS, self.stages, strict=True):
            for number, block in enumerate(stage):  # type: ignore[arg-type,var-annotated]
                name = f"{part}.{number}"
                for i, conv in enumerate(block.layers, start=1):
                    yield conv, f"{name}.conv{i}", f"{name}.bn{i}"
                if block.projection is not None:
                    yield block.projection, f"{name}.downsample.0", f"{name}.downsample.1"


def resnet_name(state: dict[str, Tensor]) -> str:
    """The name of the ResNet that a state dict is of. Raises KeyError for another network's."""
    kind = "bottleneck" if "layer1.0.conv3.weight" in state else "basic"
    width = len(state["layer1.0.conv2.weight"])
    blocks = [
        sum(re.fullmatch(rf"{layer}\.\d+\.conv2\.weight", name) is not None for name in state)
        for layer in LAYERS
    ]
    if state["layer1.0.conv2.weight"].shape[1] != width or 0 in blocks:
        raise KeyError("grouped convolutions")
    return "-".join(("resnet", kind, *map(str, (width, *blocks))))
