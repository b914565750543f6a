"""A convolution that is not trained: what encoders are made of."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu, relu6

Activation = Literal["relu", "relu6"]


class FrozenConv(nn.Module):
    """A convolution with its BatchNorm folded in, and its activation.

    With `same` it pads as TensorFlow does ("SAME"): of an odd number of pixels the last goes to the
    bottom and right. Weights that were trained so need it.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1,
        activation: Activation | None = "relu6", same: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.groups, self.activation = stride, groups, activation
        total = kernel - stride
        self.pads = (total // 2, total - total // 2) if same else (kernel // 2, kernel // 2)
        self.register_buffer("weight", torch.zeros(outputs, inputs // groups, kernel, kernel))
        self.register_buffer("bias", torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.pads
        if before != after:
            x, before = pad(x, (before, after, before, after)), 0
        x = conv2d(x, self.weight, self.bias, self.stride, before, 1, self.groups)
        if self.activation is None:
            return x
        return relu6(x) if self.activation == "relu6" else relu(x)

    def fill(self, state: dict[str, Tensor], conv: str, norm: str, epsilon: float) -> None:
        """Weights from a state dict, BatchNorm folded in float64:
        y = g (w x - mean) / sqrt(variance + epsilon) + b.

        Raises KeyError where a tensor is missing, ValueError where it has another shape.
        """
        parts = ("running_mean", "running_var", "weight", "bias")
        tensors = [state[f"{conv}.weight"], *(state[f"{norm}.{part}"] for part in parts)]
        shapes = [self.weight.shape, *[self.bias.shape] * len(parts)]
        if [t.shape for t in tensors] != shapes:
            raise ValueError(f"{conv} or {norm} has another shape")
        filter, mean, variance, weight, bias = (tensor.double() for tensor in tensors)
        scale = weight / torch.sqrt(variance + epsilon)
        self.weight.copy_(filter * scale[:, None, None, None])
        self.bias.copy_(bias - mean * scale)
        if not (self.weight.isfinite().all() and self.bias.isfinite().all()):
            raise ValueError(f"{conv} or {norm} is not finite")
