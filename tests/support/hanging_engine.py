"""A real engine that never returns from a frame that is not black: a Loop without an end."""

import io

import numpy as np
import openvino as ov
from openvino import opset13 as op


def hanging_plan(side: int) -> bytes:
    """An OpenVINO plan with the names, types and shapes of this project's networks."""
    image = op.parameter([1, side, side, 3], ov.Type.u8, name="image")
    image.output(0).set_names({"image"})
    gray = op.convert(image, "f32")
    brightest = op.reduce_max(gray, op.constant([0, 1, 2, 3], np.int64), keep_dims=False)
    level = op.parameter([], ov.Type.f32)
    goes_on = op.greater(level, op.constant(0.5, np.float32))
    same = op.multiply(level, op.constant(1.0, np.float32))
    loop = op.loop(op.constant(np.int64(-1)), op.constant(True))
    loop.set_function(ov.Model([goes_on, same], [level], "body"))
    loop.set_special_body_ports([-1, 0])
    left = loop.get_function().results[1].output(0)
    loop.set_merged_input(loop.get_function().parameters[0], brightest.output(0), left)
    score = op.reshape(loop.get_iter_value(left, -1), op.constant([1], np.int64), False)
    heatmap = op.reduce_mean(gray, op.constant([3], np.int64), keep_dims=False)
    results = [op.result(heatmap), op.result(score)]
    for result, name in zip(results, ("heatmap", "score"), strict=True):
        result.output(0).set_names({name})
    compiled = ov.Core().compile_model(ov.Model(results, [image], "hanging"), "CPU")
    stream: io.BytesIO = compiled.export_model()
    return stream.getvalue()
