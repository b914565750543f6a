"""An ONNX graph as it is written node by node, in float16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn


class Graph:
    """Nodes and weights as they are added; each method returns the name of its output.

    `scales` says for each channel of a tensor how many times its true value it holds: all that lies
    between two convolutions keeps such factors, and the next convolution divides them out.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.scales: dict[str, NDArray[np.float64]] = {}
        self._part = ""

    @contextmanager
    def part(self, prefix: str) -> Iterator[None]:
        """What is added inside has names with this prefix, by which it is found in model.onnx."""
        before, self._part = self._part, prefix
        try:
            yield
        finally:
            self._part = before

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
        name = f"{self._part}{output or f'{kind.lower()}_{len(self.nodes)}'}"
        output = output or name
        if scales is not None:
            self.scales[output] = scales
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=name, **attributes)  # type: ignore[arg-type]
        )
        return output

    def conv(
        self,
        x: str,
        weight: Tensor,
        bias: Tensor,
        scales: NDArray[np.float64] | None = None,
        *,
        stride: int = 1,
        pads: tuple[int, int] | None = None,
        groups: int = 1,
    ) -> str:
        """A convolution; `pads` are before and after each axis, by default half the kernel."""
        scales = np.ones(len(bias)) if scales is None else scales
        given = self.scales.get(x)
        true = weight.numpy().astype(np.float64)
        if given is not None and groups == 1:
            true = true / given[:, None, None]
        assert groups == 1 or given is None or (given == 1).all(), "not divided out"
        half = (
            self.constant(diffused(true * scales[:, None, None, None])),
            self.constant((bias.numpy() * scales).astype(np.float16)),
        )
        side = weight.shape[-1]
        before, after = pads or (side // 2, side // 2)
        return self.add(
            "Conv", x, *half, scales=scales, kernel_shape=[side, side],
            pads=[before, before, after, after], strides=[stride, stride], group=groups,
        )  # fmt: skip

    def convolution(
        self, x: str, layer: nn.Conv2d, after: nn.Module | None = None, scale: float | None = 1
    ) -> str:
        """A trained convolution with its BatchNorm; without a `scale` its biases become exact."""
        weight, bias = fold(layer, after)
        scales = exact(bias.numpy()) if scale is None else np.full(len(bias), scale)
        return self.conv(x, weight, bias, scales, stride=layer.stride[0])

    def up(self, x: str, mode: str = "half_pixel") -> str:
        """Twice the height and width, bilinear."""
        twice = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.add(
            "Resize", x, "", twice, scales=self.scales.get(x),
            mode="linear", coordinate_transformation_mode=mode,
        )  # fmt: skip

    def sequential(self, x: str, layers: nn.Sequential, scale: float = 1) -> str:
        """Convolutions with their BatchNorm folded, ReLUs and up-samplings, in order.

        What no ReLU follows is `scale` times its true value.
        """
        modules = list(layers)
        for i, layer in enumerate(modules):
            if isinstance(layer, nn.Conv2d):
                after = modules[i + 1] if i + 1 < len(modules) else None
                last = i + 1 == len(modules)
                x = self.convolution(x, layer, after, scale if last else None)
            elif isinstance(layer, nn.ReLU):
                x = self.add("Relu", x, scales=self.scales[x])
            elif isinstance(layer, nn.Upsample):
                x = self.up(x, "align_corners")
        return x

    def concat(self, *xs: str) -> str:
        scales = np.concatenate([self.scales[x] for x in xs])
        return self.add("Concat", *xs, scales=scales, axis=1)


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
    """Convolution weights [O, I, k, k] in float16; each tap takes over the error before it.

    The largest taps come first, so that each kernel's sum, which is its answer to an even surface,
    is kept to the precision of its smallest tap. Plain rounding moved trained maps twice as far.
    """
    taps = weight.reshape(-1, weight.shape[-2] * weight.shape[-1])
    order = np.argsort(-np.abs(taps), axis=1)
    rounded = np.empty(taps.shape, np.float16)
    carry = np.zeros(len(taps))
    rows = np.arange(len(taps))
    for column in order.T:
        wanted = taps[rows, column] + carry
        rounded[rows, column] = wanted.astype(np.float16)
        carry = wanted - rounded[rows, column]
    return rounded.reshape(weight.shape)
