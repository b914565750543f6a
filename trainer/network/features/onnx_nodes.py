"""The features network as nodes of an ONNX graph."""

import numpy as np
from onnx import TensorProto
from torch import Tensor

from edge.product.model_parts import HEAD, MEMORY
from trainer.network.features.efficientnet_lite import TAPS, Bottleneck, EfficientNetLite
from trainer.network.features.encoder import STRIDES, Encoder
from trainer.network.features.frozen_conv import FrozenConv
from trainer.network.features.memory import Memory
from trainer.network.features.model import FeatureDraem
from trainer.network.features.resnet import ResidualBlock, ResNet
from trainer.network.onnx_graph import Graph

SAFE = 8.0
"""Features are divided by it where they are multiplied with each other in float16."""


def add_features(graph: Graph, model: FeatureDraem, image: str) -> str:
    """Encoder and both networks in float16, from the image's values to the margin in float32."""
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
    weight, bias = find.out.weight.detach().cpu(), find.out.bias.detach().cpu()  # type: ignore[union-attr]
    with graph.part(HEAD):
        x = graph.conv(x, weight[1:] - weight[:1], bias[1:] - bias[:1])
        margin = graph.add("Cast", x, to=TensorProto.FLOAT)
    if model.memory is None or not model.memory.filled:
        return margin
    with graph.part(MEMORY):
        return _mixed(graph, margin, features[-1], model.memory)


def _mixed(graph: Graph, margin: str, features: str, memory: Memory) -> str:
    """The margin with what the memory adds to it, in float32."""
    first, second, offset = (float(value) for value in memory.get_buffer("mixture"))
    times = STRIDES[-1] // STRIDES[0]
    larger = graph.constant(np.array([1, 1, times, times], np.float32))
    distance = graph.add(
        "Resize", _distance(graph, features, memory), "", larger,
        mode="linear", coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    x = graph.add("Mul", margin, _single(graph, first))
    x = graph.add("Add", x, graph.add("Mul", distance, _single(graph, second)))
    return graph.add("Add", x, _single(graph, offset))


def _distance(graph: Graph, features: str, memory: Memory) -> str:
    """To the nearest pattern, in float32; products in float16, of values that cannot overflow."""
    patterns = memory.get_buffer("patterns").cpu() / SAFE
    x = graph.add("Mul", features, graph.constant(np.array(1 / SAFE, np.float16)))
    x = graph.add(
        "AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0,
        scales=np.ones(patterns.shape[1]),
    )  # fmt: skip
    products = graph.conv(x, -2 * patterns[:, :, None, None], patterns.square().sum(dim=1))
    products = graph.add("Cast", products, to=TensorProto.FLOAT)
    nearest = graph.add("ReduceMin", products, axes=[1], keepdims=1)
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    axes = graph.constant(np.array([1], np.int64))
    length = graph.add("ReduceSum", graph.add("Mul", x, x), axes, keepdims=1)
    squared = graph.add("Relu", graph.add("Add", nearest, length))
    return graph.add("Mul", graph.add("Sqrt", squared), _single(graph, SAFE))


def _single(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, np.float32))


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
