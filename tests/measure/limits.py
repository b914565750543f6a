"""What this machine can do at most: operations and bytes a second, by small kernels of its own."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import openvino
from openvino import opset13 as op

from edge.engine.openvino import CONFIG

CHANNELS, SIDE, KERNEL = 256, 64, 3
COPIED = 1 << 27
ROUNDS = 20


class Limits(NamedTuple):
    """Operations a second (a multiplication and an addition are two), bytes read and written."""

    float32: float
    int8: float
    bandwidth: float

    def milliseconds(self, work: "Work", *, integers: bool = False) -> float:
        """The least time that some work takes."""
        peak = self.int8 if integers else self.float32
        return 1e3 * max(work.operations / peak, work.moved / self.bandwidth)


class Work(NamedTuple):
    """Operations, and bytes that must be read or written at least once."""

    operations: float
    moved: float


def measured_limits(cores: int) -> Limits:
    """The best of some rounds: OpenVINO's convolutions, and copies by one core."""
    source = np.ones(COPIED, np.uint8)
    to = np.empty_like(source)
    bandwidth = 2 * COPIED / _least_seconds(lambda: np.copyto(to, source))
    return Limits(_convolving(cores, False), _convolving(cores, True), bandwidth)


def _convolving(cores: int, integers: bool) -> float:
    """Operations a second of a convolution that the caches hold."""
    shape = (1, CHANNELS, SIDE, SIDE)
    image = op.parameter(shape, np.float32)
    weights = np.random.default_rng(0).normal(0, 0.1, (CHANNELS, CHANNELS, KERNEL, KERNEL))
    kernel = op.constant(weights.astype(np.float32))
    given = image
    if integers:  # OpenVINO computes in integers between two such nodes
        given = op.fake_quantize(image, *map(np.float32, (0, 2.55, 0, 2.55)), 256)
        kernel = op.fake_quantize(kernel, *map(np.float32, (-0.5, 0.5, -0.5, 0.5)), 255)
    made = op.relu(op.convolution(given, kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
    config = CONFIG | {"INFERENCE_NUM_THREADS": str(cores)}
    model = openvino.Core().compile_model(openvino.Model([made], [image]), "CPU", config)
    request = model.create_infer_request()
    request.infer([np.random.default_rng(0).random(shape, np.float32)])
    return 2 * math.prod(shape) * CHANNELS * KERNEL**2 / _least_seconds(request.infer)


def _least_seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def network_work(model: openvino.Model, *, integers: bool) -> Work:
    """Of a network for one image: its convolutions and products, and each weight once."""
    operations = weights = 0
    for node in model.get_ops():
        if node.get_type_name() == "Constant":
            weights += math.prod(node.get_output_shape(0))
        elif node.get_type_name() in ("Convolution", "GroupConvolution", "MatMul"):
            kernel, made = node.get_input_shape(1), math.prod(node.get_output_shape(0))
            operations += 2 * made * _inputs_of_one_output(node.get_type_name(), kernel)
    return Work(operations, weights * (1 if integers else 4))


def _inputs_of_one_output(kind: str, kernel: list[int]) -> int:
    if kind == "MatMul":
        return int(kernel[-2])
    return math.prod(kernel[1 if kind == "Convolution" else 2 :])
