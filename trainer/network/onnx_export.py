"""model.onnx: one file for every engine, written node by node from the trained networks.

uint8 [N, H, W, 3] BGR in; the body in float16 with BatchNorm folded in float32; float32 `heatmap`
[N, H, W] and `score` [N] out. TensorRT wants the Cast before anything else, and strong typing reads
the precision from this graph.
"""

import copy
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from trainer.network.model import Draem, Encoder

OPSET = 17


INPUT_SCALE = 255 / 256
"""uint8 / 256 is exact in float16, and / 255 is not: the image is this times its value."""


class Graph:
    """Nodes and weights as they are added; each method returns the name of its output.

    `scales` says for each channel of a tensor how many times its true value it holds: all that lies
    between two convolutions keeps such factors, and the next convolution divides them out.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.scales: dict[str, NDArray[np.float64]] = {}

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def add(
        self,
        kind: str,
        *inputs: str,
        output: str = "",
        scales: NDArray[np.float64] | None = None,
        **attributes: object,
    ) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        if scales is not None:
            self.scales[output] = scales
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=output, **attributes)  # type: ignore[arg-type]
        )
        return output

    def conv(self, x: str, weight: Tensor, bias: Tensor, scales: NDArray[np.float64]) -> str:
        true = weight.numpy().astype(np.float64) / self.scales[x][:, None, None]
        half = (
            self.constant(diffused(true * scales[:, None, None, None])),
            self.constant((bias.numpy() * scales).astype(np.float16)),
        )
        return self.add("Conv", x, *half, scales=scales, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def sequential(self, x: str, layers: nn.Sequential, scale: float = 1) -> str:
        """Convolutions with their BatchNorm folded, ReLUs and up-samplings, in order.

        What no ReLU follows is `scale` times its true value.
        """
        modules = list(layers)
        for i, layer in enumerate(modules):
            if isinstance(layer, nn.Conv2d):
                after = modules[i + 1] if i + 1 < len(modules) else None
                weight, bias = fold(layer, after)
                last = i + 1 == len(modules)
                scales = np.full(len(bias), scale) if last else exact(bias.numpy())
                x = self.conv(x, weight, bias, scales)
            elif isinstance(layer, nn.ReLU):
                x = self.add("Relu", x, scales=self.scales[x])
            elif isinstance(layer, nn.Upsample):
                twice = self.constant(np.array([1, 1, 2, 2], np.float32))
                x = self.add(
                    "Resize", x, "", twice, scales=self.scales[x],
                    mode="linear", coordinate_transformation_mode="align_corners",
                )  # fmt: skip
        return x

    def concat(self, x: str, y: str) -> str:
        both = np.concatenate([self.scales[x], self.scales[y]])
        return self.add("Concat", x, y, scales=both, axis=1)

    def encoder(self, x: str, encoder: Encoder) -> list[str]:
        blocks: list[str] = []
        for i in range(1, encoder.depth + 1):
            if i > 1:
                scales = self.scales[x]
                x = self.add("MaxPool", x, scales=scales, kernel_shape=[2, 2], strides=[2, 2])
            x = self.sequential(x, part(encoder, f"block{i}"))
            blocks.append(x)
        return blocks


def part(module: nn.Module, name: str) -> nn.Sequential:
    return cast(nn.Sequential, module.get_submodule(name))


def fold(conv: nn.Conv2d, after: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the BatchNorm behind it, computed in float32."""
    weight = conv.weight.detach().float().cpu()
    bias = cast(Tensor, conv.bias).detach().float().cpu()
    if not isinstance(after, nn.BatchNorm2d):
        return weight, bias
    mean, var = (cast(Tensor, t).float().cpu() for t in (after.running_mean, after.running_var))
    scale = after.weight.detach().float().cpu() / torch.sqrt(var + after.eps)
    shifted = (bias - mean) * scale + after.bias.detach().float().cpu()
    return weight * scale[:, None, None, None], shifted


def exact(bias: NDArray[np.float32]) -> NDArray[np.float64]:
    """The factor, next to 1, that makes a channel's bias a float16 number.

    The error of a rounded bias is the same at every pixel, and grows through the layers after it:
    of one small network it moved a score by 0.028 where rounded weights moved it by 0.001. A ReLU
    keeps any factor above zero.
    """
    wanted = bias.astype(np.float64)
    with np.errstate(over="ignore"):
        half = wanted.astype(np.float16).astype(np.float64)
    normal = np.isfinite(half) & (np.abs(half) >= np.finfo(np.float16).smallest_normal)
    return np.where(normal, half / np.where(normal, wanted, 1), 1.0)


def diffused(weight: NDArray[np.float64]) -> NDArray[np.float16]:
    """Convolution weights [O, I, 3, 3] in float16; each tap takes over the error before it.

    The largest taps come first, so that each kernel's sum, which is its answer to an even surface,
    is kept to the precision of its smallest tap. Plain rounding moved trained maps twice as far.
    """
    taps = weight.reshape(-1, 9)
    order = np.argsort(-np.abs(taps), axis=1)
    rounded = np.empty(taps.shape, np.float16)
    carry = np.zeros(len(taps))
    rows = np.arange(len(taps))
    for column in order.T:
        wanted = taps[rows, column] + carry
        rounded[rows, column] = wanted.astype(np.float16)
        carry = wanted - rounded[rows, column]
    return rounded.reshape(weight.shape)


def rebased(encoder: Encoder) -> Encoder:
    """The discriminative encoder, made to read (reconstruction - image, image).

    What it looks for is the difference of two nearly equal pictures, so its first weights are large
    and opposite, and rounding them to float16 moved trained maps by up to 0.02 at the 99.9th
    percentile. With a (r - i) + (a + b) i in place of a r + b i nothing large has to cancel.
    """
    encoder = copy.deepcopy(encoder)
    first = cast(nn.Conv2d, part(encoder, "block1")[0])
    with torch.no_grad():
        first.weight[:, 3:] += first.weight[:, :3]
    return encoder


def _body(graph: Graph, model: Draem, image: str) -> str:
    """Both networks in float16, from the scaled image to the logits."""
    x = graph.encoder(image, model.reconstructive.encoder)[-1]
    decoder = model.reconstructive.decoder
    for i in range(1, 5):
        x = graph.sequential(x, part(decoder, f"up{i}"))
        x = graph.sequential(x, part(decoder, f"db{i}"))
    x = graph.sequential(x, decoder.fin_out, INPUT_SCALE)
    difference = graph.add("Sub", x, image, scales=graph.scales[image])
    x = graph.concat(difference, image)
    blocks = graph.encoder(x, rebased(model.discriminative.encoder_segment))
    x = blocks[-1]
    segment = model.discriminative.decoder_segment
    for stage, skip in zip(segment.STAGES, reversed(blocks[:-1]), strict=True):
        x = graph.sequential(x, part(segment, f"up{stage}"))
        x = graph.concat(x, skip)
        x = graph.sequential(x, part(segment, f"db{stage}"))
    return graph.sequential(x, segment.fin_out)


def _head(graph: Graph, logits: str, side: int) -> None:
    """Softmax in float32; the score's window is averaged along one axis, then along the other."""
    x = graph.add("Cast", logits, to=TensorProto.FLOAT)
    x = graph.add("Softmax", x, axis=1)
    ends = [graph.constant(np.array([v], np.int64)) for v in (1, 2, 1)]
    channel = graph.add("Slice", x, *ends)
    axis = graph.constant(np.array([1], np.int64))
    graph.add("Squeeze", channel, axis, output="heatmap")
    for kernel in ([side, 1], [1, side]):
        pads = [kernel[0] // 2, kernel[1] // 2] * 2
        channel = graph.add(
            "AveragePool", channel, kernel_shape=kernel, pads=pads, count_include_pad=1
        )
    graph.add("ReduceMax", channel, output="score", axes=[1, 2, 3], keepdims=0)


def build_onnx(model: Draem, height: int, width: int) -> onnx.ModelProto:
    """The checked ONNX model of trained networks for images of height x width."""
    if height % 32 or width % 32:
        raise ValueError(f"{width}x{height}: both sides must be multiples of 32")
    graph = Graph()
    x = graph.add("Cast", "image", to=TensorProto.FLOAT16)
    x = graph.add("Mul", x, graph.constant(np.array(1 / 256, np.float16)))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2], scales=np.full(3, INPUT_SCALE))
    _head(graph, _body(graph, model, x), model.window)
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        graph.nodes,
        "draem",
        [value("image", TensorProto.UINT8, ["N", height, width, 3])],
        [
            value("heatmap", TensorProto.FLOAT, ["N", height, width]),
            value("score", TensorProto.FLOAT, ["N"]),
        ],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name="draem")
    onnx.checker.check_model(proto, full_check=True)
    return proto


def export(model: Draem, height: int, width: int, path: Path) -> None:
    """Write `build_onnx` to a file."""
    onnx.save_model(build_onnx(model, height, width), str(path))
