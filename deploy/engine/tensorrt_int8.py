"""Explicit quantisation for TensorRT: Q and DQ nodes around the convolutions that NNCF quantised.

NNCF works on OpenVINO's copy of model.onnx, in which every convolution has its ONNX node's name. So
one search of layers serves both runtimes, and neither needs the onnx package on the device.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import openvino
from numpy.typing import NDArray

from edge.base.errors import EngineError

LEVELS = 127
"""The largest integer; TensorRT's quantisation is symmetric."""


class QuantisedLayer(NamedTuple):
    """Of a convolution: the value of one step of its input, and the bias that NNCF corrected."""

    step: float
    bias: NDArray[np.float32] | None


def quantised_layers(model: openvino.Model) -> dict[str, QuantisedLayer]:
    """The convolutions whose input has a quantiser, by their names in model.onnx.

    What is never below zero has 255 steps on a CPU, and 127 here: the proof on the GPU sees that.
    """
    found = {}
    for operation in model.get_ordered_ops():
        if "Convolution" not in operation.get_type_name():
            continue
        quantiser = operation.input_value(0).get_node()
        if quantiser.get_type_name() != "FakeQuantize":
            continue
        highest = float(quantiser.input_value(2).get_node().data.max())
        name = operation.get_friendly_name().removesuffix("/WithoutBiases")
        found[name] = QuantisedLayer(highest / LEVELS, _bias(operation))
    return found


def _bias(convolution: Any) -> NDArray[np.float32] | None:
    """The constant that is added to a convolution alone."""
    (first, *others) = [target.get_node() for target in convolution.output(0).get_target_inputs()]
    if others or first.get_type_name() != "Add":
        return None
    for i in range(2):
        constant = first.input_value(i).get_node()
        while constant.get_type_name() == "Convert":
            constant = constant.input_value(0).get_node()
        if constant.get_type_name() == "Constant":
            return np.asarray(constant.data, np.float32).ravel()
    return None


def insert_quantisers(
    trt: ModuleType, network: Any, layers: Mapping[str, QuantisedLayer]
) -> list[NDArray[np.generic]]:
    """Replace convolutions by quantised ones; the arrays, which must live until the plan is built.

    Raises EngineError where a layer is not in the network.
    """
    writer = _Writer(trt, network)
    known = {layer.name: layer for layer in writer.convolutions()}
    if missing := sorted(layers.keys() - known.keys()):
        raise EngineError(
            f"TensorRT does not have the layers {', '.join(missing)[:200]} of model.onnx: update "
            "it, or build --precision float16"
        )
    for name, layer in layers.items():
        writer.replace(known[name], layer)
    return writer.kept


def integer_convolutions(trt: ModuleType, network: Any) -> tuple[int, int]:
    """How many convolutions read dequantised integers, for input and weights; and of how many.

    What nothing reads any more does not count.
    """
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    made_by = {layer.get_output(0).name: layer for layer in layers if layer.num_outputs}
    read = {
        tensor.name
        for layer in layers
        for tensor in (layer.get_input(i) for i in range(layer.num_inputs))
        if tensor is not None
    }
    used = [
        layer
        for layer in layers
        if layer.type == trt.LayerType.CONVOLUTION and layer.get_output(0).name in read
    ]

    def is_integer(tensor: Any) -> bool:
        source = made_by.get(tensor.name)
        return (
            source is not None
            and source.type == trt.LayerType.DEQUANTIZE
            and source.get_input(0).dtype == trt.int8
        )

    narrow = [
        layer
        for layer in used
        if layer.num_inputs > 1
        and is_integer(layer.get_input(0))
        and is_integer(layer.get_input(1))
    ]
    return len(narrow), len(used)


class _Writer:
    """A parsed network as it is changed."""

    def __init__(self, trt: ModuleType, network: Any) -> None:
        self.kept: list[NDArray[np.generic]] = []
        self._trt, self._network = trt, network
        self._layers = [network.get_layer(i) for i in range(network.num_layers)]
        self._dequantised: dict[tuple[str, float], Any] = {}

    def convolutions(self) -> list[Any]:
        found = [layer for layer in self._layers if layer.type == self._trt.LayerType.CONVOLUTION]
        for layer in found:
            layer.__class__ = self._trt.IConvolutionLayer  # what get_layer returns is only a layer
        return found

    def replace(self, old: Any, layer: QuantisedLayer) -> None:
        """A parsed convolution does not take a tensor for its weights, so it is made anew."""
        trt, count = self._trt, old.num_output_maps
        weight = np.array(old.kernel, np.float32).reshape(count, -1, *old.kernel_size_nd)
        given: NDArray[Any] = np.array(old.bias) if layer.bias is None else layer.bias
        bias = self._keep(given.astype(np.float16))
        new = self._network.add_convolution_nd(
            self._input(old.get_input(0), layer.step), count, old.kernel_size_nd,
            trt.Weights(trt.float16), trt.Weights(bias),
        )  # fmt: skip
        new.set_input(1, self._weights(weight))
        new.name = f"{old.name}.int8"
        new.stride_nd, new.num_groups = old.stride_nd, old.num_groups
        new.pre_padding, new.post_padding = old.pre_padding, old.post_padding
        self._redirect(old.get_output(0).name, new.get_output(0))

    def _redirect(self, name: str, to: Any) -> None:
        for layer in self._layers:
            for i in range(layer.num_inputs):
                tensor = layer.get_input(i)
                if tensor is not None and tensor.name == name:
                    layer.set_input(i, to)

    def _input(self, tensor: Any, step: float) -> Any:
        """A tensor as integers and back; once for all that read it in the same steps."""
        key = tensor.name, step
        if key not in self._dequantised:
            scale = self._constant(np.array(step, np.float16))
            made = self._network.add_quantize(tensor, scale, self._trt.int8).get_output(0)
            again = self._network.add_dequantize(made, scale, self._trt.float16)
            self._dequantised[key] = again.get_output(0)
        return self._dequantised[key]

    def _weights(self, weight: NDArray[np.float32]) -> Any:
        """Weights [O, I, k, k] as integers in the plan, with a scale for each output channel."""
        highest = np.abs(weight).max(axis=(1, 2, 3))
        steps = np.maximum(highest / LEVELS, np.finfo(np.float16).smallest_normal)
        steps = steps.astype(np.float16)
        wide = weight / steps.astype(np.float32)[:, None, None, None]
        integers = self._constant(np.rint(wide).clip(-LEVELS, LEVELS).astype(np.int8))
        again = self._network.add_dequantize(integers, self._constant(steps), self._trt.float16)
        again.axis = 0
        return again.get_output(0)

    def _constant(self, value: NDArray[np.generic]) -> Any:
        kept = self._keep(value)
        return self._network.add_constant(kept.shape, self._trt.Weights(kept)).get_output(0)

    def _keep(self, value: NDArray[np.generic]) -> NDArray[np.generic]:
        self.kept.append(np.require(value, requirements="C"))
        return self.kept[-1]
