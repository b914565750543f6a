"""model.onnx: one file for every engine, written node by node from trained networks.

uint8 [N, H, W, 3] BGR in; the body in float16 with BatchNorm folded in float32; float32 `heatmap`
[N, H, W] and `score` [N] out. TensorRT wants the Cast before anything else, and strong typing reads
the precision from this graph.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge.vision.tiles import MULTIPLE
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


def _head(graph: Graph, channel: str, size: tuple[int, int], stride: int, side: int) -> None:
    """The heatmap of height and width `size`, and its score over a window of `side`."""
    axis = graph.constant(np.array([1], np.int64))
    if stride > 1:
        _add_enlarged(graph, graph.add("Squeeze", channel, axis), size, stride, side)
        return
    graph.add("Squeeze", channel, axis, output="heatmap")
    for kernel in ([side, 1], [1, side]):
        pads = [kernel[0] // 2, kernel[1] // 2] * 2
        channel = graph.add(
            "AveragePool", channel, kernel_shape=kernel, pads=pads, count_include_pad=1
        )
    graph.add("ReduceMax", channel, output="score", axes=[1, 2, 3], keepdims=0)


def _add_enlarged(graph: Graph, coarse: str, size: tuple[int, int], stride: int, side: int) -> None:
    """Heatmap and score of a map [N, h, w] at a stride, as products with matrices.

    Enlarging and averaging are linear along each axis. Runtimes take a channel for each lane of a
    vector, so with one channel their resize and average pool took a tenth of the network's time.
    """
    enlarge = [enlarging(count // stride, stride) for count in size]
    average = [averaging(count, side) @ one for count, one in zip(size, enlarge, strict=True)]
    for (down, right), name in ((enlarge, "heatmap"), (average, "")):
        x = graph.add("MatMul", graph.constant(down.astype(np.float32)), coarse)
        right_name = graph.constant(np.ascontiguousarray(right.T, np.float32))
        x = graph.add("MatMul", x, right_name, output=name)
    graph.add("ReduceMax", x, output="score", axes=[1, 2], keepdims=0)


def enlarging(count: int, stride: int) -> NDArray[np.float64]:
    """The matrix [count * stride, count] of a bilinear enlargement, with half-pixel centres."""
    place = ((np.arange(count * stride) + 0.5) / stride - 0.5).clip(0, count - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(count)), 0), np.float64)


def averaging(count: int, side: int) -> NDArray[np.float64]:
    """The matrix [count, count] of a mean over `side` values, with zeros around them."""
    place = np.arange(count)
    return np.asarray((np.abs(place[:, None] - place) <= side // 2) / side, np.float64)


def build_onnx(model: Network, height: int, width: int) -> onnx.ModelProto:
    """The checked ONNX model of trained networks for images of height x width."""
    if height % MULTIPLE or width % MULTIPLE:
        raise ValueError(f"{width}x{height}: both sides must be multiples of {MULTIPLE}")
    graph = Graph()
    x = graph.add("Cast", "image", to=TensorProto.FLOAT16)
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    anomaly = _anomaly(graph, model, x)
    _head(graph, anomaly, (height, width), model.stride, model.spec.window)
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
