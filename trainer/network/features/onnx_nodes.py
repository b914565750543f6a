"""The features network as nodes of an ONNX graph."""

import numpy as np
from torch import Tensor

from trainer.network.features.efficientnet_lite import TAPS, Bottleneck, EfficientNetLite
from trainer.network.features.encoder import STRIDES, Encoder
from trainer.network.features.frozen_conv import FrozenConv
from trainer.network.features.model import FeatureDraem
from trainer.network.features.resnet import ResidualBlock, ResNet
from trainer.network.onnx_graph import Graph


def add_features(graph: Graph, model: FeatureDraem, image: str) -> str:
    """Encoder and both networks in float16, from the values of the image to the logits."""
    features = [
        _scaled(graph, x, model, stride)
        for stride, x in zip(STRIDES, _add_encoder(graph, image, model.encoder), strict=True)
    ]
    reconstruct, find = model.reconstructive, model.discriminative
    x = graph.sequential(features[-1], reconstruct.down)
    reconstructions: list[str] = []
    for up, out in zip(reconstruct.up, reconstruct.out, strict=True):
        x = graph.sequential(graph.up(x), up)  # type: ignore[arg-type]
        reconstructions.insert(0, graph.convolution(x, out))  # type: ignore[arg-type]
    fine, middle, coarse = (
        graph.sequential(graph.concat(f, graph.add("Sub", f, r, scales=graph.scales[f])), join)  # type: ignore[arg-type]
        for join, f, r in zip(find.join, features, reconstructions, strict=True)
    )
    x = graph.sequential(coarse, find.coarse)
    x = graph.sequential(graph.concat(graph.up(x), middle), find.middle)
    x = graph.sequential(graph.concat(graph.up(x), fine), find.fine)
    return graph.convolution(x, find.out)


def _add_encoder(graph: Graph, image: str, encoder: Encoder) -> list[str]:
    """The features; RGB instead of BGR is an order of weights. Lite's 127 and 128 are exact."""
    mean, deviation = (np.array(v[::-1])[:, None, None] for v in (encoder.mean, encoder.deviation))
    x = graph.add("Sub", image, graph.constant(mean.astype(np.float16)))
    inverse = graph.constant((1 / deviation).astype(np.float16))
    x = graph.add("Mul", x, inverse, scales=np.ones(3))
    assert isinstance(encoder, EfficientNetLite | ResNet)
    x = _add_conv(graph, x, encoder.stem, encoder.stem.weight.flip(1))
    if isinstance(encoder, ResNet):
        ones = graph.scales[x]
        x = graph.add(
            "MaxPool", x, scales=ones, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
        )
    outputs = []
    for stage in encoder.stages:
        for block in stage:  # type: ignore[attr-defined]
            x = _add_block(graph, x, block)
        outputs.append(x)
    return outputs if isinstance(encoder, ResNet) else [outputs[tap - 1] for tap in TAPS]


def _add_block(graph: Graph, x: str, block: Bottleneck | ResidualBlock) -> str:
    y = x
    for layer in block.layers:
        y = _add_conv(graph, y, layer, layer.weight)  # type: ignore[arg-type]
    if isinstance(block, Bottleneck):
        return graph.add("Add", x, y, scales=graph.scales[x]) if block.residual else y
    if block.projection is not None:
        x = _add_conv(graph, x, block.projection, block.projection.weight)
    y = graph.add("Add", x, y, scales=graph.scales[x])
    return graph.add("Relu", y, scales=graph.scales[y])


def _add_conv(graph: Graph, x: str, layer: FrozenConv, weight: Tensor) -> str:
    x = graph.conv(
        x, weight.cpu(), layer.bias.cpu(), stride=layer.stride, pads=layer.pads, groups=layer.groups
    )
    if layer.activation is None:
        return x
    if layer.activation == "relu":
        return graph.add("Relu", x, scales=graph.scales[x])
    limits = [graph.constant(np.array(value, np.float16)) for value in (0, 6)]
    return graph.add("Clip", x, *limits, scales=graph.scales[x])


def _scaled(graph: Graph, x: str, model: FeatureDraem, stride: int) -> str:
    """Each channel at mean 0 and deviation 1 over good images."""
    mean = model.get_buffer(f"mean_{stride}").cpu().numpy().astype(np.float64)
    deviation = model.get_buffer(f"deviation_{stride}").cpu().numpy().astype(np.float64)
    shape = (len(mean), 1, 1)
    x = graph.add("Sub", x, graph.constant(mean.astype(np.float16).reshape(shape)))
    inverse = (1 / deviation).astype(np.float16).reshape(shape)
    return graph.add("Mul", x, graph.constant(inverse), scales=np.ones(len(mean)))
