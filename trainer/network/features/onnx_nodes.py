"""The features network as nodes of an ONNX graph."""

import numpy as np
from torch import Tensor

from trainer.network.features.encoder import TAPS, Bottleneck, Conv, Encoder
from trainer.network.features.model import FeatureDraem
from trainer.network.onnx_graph import Graph


def add_features(graph: Graph, model: FeatureDraem, image: str) -> str:
    """Encoder and both networks in float16, from the values of the image to the logits."""
    features = [
        _scaled(graph, x, model, tap)
        for tap, x in zip(TAPS, _add_encoder(graph, image, model.encoder), strict=True)
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
    """(value - 127) / 128 is exact in float16; RGB instead of BGR is an order of weights."""
    x = graph.add("Sub", image, graph.constant(np.array(127, np.float16)))
    x = graph.add("Mul", x, graph.constant(np.array(1 / 128, np.float16)), scales=np.ones(3))
    x = _add_conv(graph, x, encoder.stem, encoder.stem.weight.flip(1))
    taps = []
    for number, blocks in enumerate(encoder.stages, start=1):
        for block in blocks:  # type: ignore[attr-defined]
            x = _add_bottleneck(graph, x, block)
        if number in TAPS:
            taps.append(x)
    return taps


def _add_bottleneck(graph: Graph, x: str, block: Bottleneck) -> str:
    y = x
    for layer in block.layers:
        y = _add_conv(graph, y, layer, layer.weight)  # type: ignore[arg-type]
    return graph.add("Add", x, y, scales=graph.scales[x]) if block.residual else y


def _add_conv(graph: Graph, x: str, layer: Conv, weight: Tensor) -> str:
    x = graph.conv(
        x, weight.cpu(), layer.bias.cpu(), stride=layer.stride, pads=layer.pads, groups=layer.groups
    )
    if not layer.clipped:
        return x
    limits = [graph.constant(np.array(value, np.float16)) for value in (0, 6)]
    return graph.add("Clip", x, *limits, scales=graph.scales[x])


def _scaled(graph: Graph, x: str, model: FeatureDraem, tap: int) -> str:
    """Each channel at mean 0 and deviation 1 over good images."""
    mean = model.get_buffer(f"mean_{tap}").cpu().numpy().astype(np.float64)
    deviation = model.get_buffer(f"deviation_{tap}").cpu().numpy().astype(np.float64)
    shape = (len(mean), 1, 1)
    x = graph.add("Sub", x, graph.constant(mean.astype(np.float16).reshape(shape)))
    inverse = (1 / deviation).astype(np.float16).reshape(shape)
    return graph.add("Mul", x, graph.constant(inverse), scales=np.ones(len(mean)))
