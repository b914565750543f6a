"""model.onnx: one file for every engine, written node by node from trained networks.

uint8 [N, H, W, 3] BGR in; the body in float16 with BatchNorm folded in float32; float32 `heatmap`
[N, H, W] and `score` [N] out. TensorRT wants the Cast before anything else, and strong typing reads
the precision from this graph.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from trainer.network.features.model import FeatureDraem
from trainer.network.features.onnx_nodes import add_features
from trainer.network.network import Network
from trainer.network.onnx_graph import Graph
from trainer.network.pixels.model import Draem
from trainer.network.pixels.onnx_nodes import add_pixels

OPSET = 17


def _anomaly(graph: Graph, model: Network, image: str) -> str:
    """From uint8 values as float16 [N, 3, H, W] to the anomaly [N, 1, h, w] in float32."""
    if isinstance(model, FeatureDraem):
        return graph.add("Sigmoid", add_features(graph, model, image))
    assert isinstance(model, Draem)
    logits = add_pixels(graph, model, image)
    x = graph.add("Softmax", graph.add("Cast", logits, to=TensorProto.FLOAT), axis=1)
    return graph.add("Slice", x, *(graph.constant(np.array([v], np.int64)) for v in (1, 2, 1)))


def _head(graph: Graph, channel: str, stride: int, side: int) -> None:
    """The heatmap at the image's size; the score's window is averaged axis by axis."""
    axis = graph.constant(np.array([1], np.int64))
    if stride > 1:
        larger = graph.constant(np.array([1, 1, stride, stride], np.float32))
        channel = graph.add(
            "Resize", channel, "", larger,
            mode="linear", coordinate_transformation_mode="half_pixel",
        )  # fmt: skip
    graph.add("Squeeze", channel, axis, output="heatmap")
    for kernel in ([side, 1], [1, side]):
        pads = [kernel[0] // 2, kernel[1] // 2] * 2
        channel = graph.add(
            "AveragePool", channel, kernel_shape=kernel, pads=pads, count_include_pad=1
        )
    graph.add("ReduceMax", channel, output="score", axes=[1, 2, 3], keepdims=0)


def build_onnx(model: Network, height: int, width: int) -> onnx.ModelProto:
    """The checked ONNX model of trained networks for images of height x width."""
    if height % 32 or width % 32:
        raise ValueError(f"{width}x{height}: both sides must be multiples of 32")
    graph = Graph()
    x = graph.add("Cast", "image", to=TensorProto.FLOAT16)
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    _head(graph, _anomaly(graph, model, x), model.stride, model.spec.window)
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


def export(model: Network, height: int, width: int, path: Path) -> None:
    """Write `build_onnx` to a file."""
    onnx.save_model(build_onnx(model, height, width), str(path))
