"""model.onnx in integers: post-training quantisation by NNCF, on frames that came with the product.

The last convolution and what follows it stay in float: eight bits of a heatmap are too few to rank
pixels by, and its range on the frames at hand is not that of a defect to come. So does a memory of
good parts, whose distances are small differences of large numbers. NNCF leaves more layers in
float where simulated anomalies are found less well, those first that change the heatmaps most.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from edge.base.errors import EngineError
from edge.engine import openvino as cpu
from edge.engine.accuracy import Accuracy, measure, simulated_of
from edge.product.model_parts import HEAD, MEMORY
from edge.product.product import Product

FLOAT_PARTS = (HEAD, MEMORY)
FLOAT_FROM = ("Softmax", "Sigmoid")
FLOAT_KINDS = ("Subtract", "MatMul")
"""Differences of features are small where both are large, and so are those of squared distances."""
ENOUGH = 0.7
"""The share of the allowed loss that is taken on the frames that layers are chosen by: on the
others, which prove, it may be somewhat more.
"""
MOST_LAYERS = 15
"""In float, besides those that always are; each costs an evaluation."""
RANKED_BY = 16
"""Frames that layers are ranked by."""
INSTALL = "pip install '.[int8]' where engines are built"

Report = Callable[[float, str], None]


def quantised(product: Product, *, per_tensor: bool, report: Report) -> openvino.Model:
    """The model with its quantisers as FakeQuantize nodes.

    `per_tensor` is for TensorRT: one symmetric scale for each tensor, for weights one for each
    channel. Takes a minute or more. Raises EngineError without NNCF or simulated anomalies.
    """
    frames, masks = simulated_of(product).choosing()
    nncf, model = _library(), cpu.read_model(product)
    with cpu.OpenVinoEngine(cpu.compile_model(model, "f32"), product.shape) as engine:
        parts = [engine.infer(frame[None]) for frame in frames]
    reference = measure(
        masks,
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.heatmap for part in parts]),
    )
    with contextlib.redirect_stdout(io.StringIO()):  # NNCF's progress bars
        return nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(list(frames), _as_input),
            nncf.Dataset(list(frames), _as_input),
            _judge(reference, masks, report),
            max_drop=0.0,
            subset_size=len(frames),
            ignored_scope=nncf.IgnoredScope(names=_float_layers(model), validate=False),
            advanced_quantization_parameters=_parameters(nncf, per_tensor=per_tensor),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                max_num_iterations=MOST_LAYERS, ranking_subset_size=RANKED_BY, num_ranking_workers=1
            ),
        )


def _judge(
    reference: Accuracy, masks: NDArray[np.bool_], report: Report
) -> Callable[[Any, Iterable[Any]], tuple[float, list[list[NDArray[np.float32]]]]]:
    """What NNCF asks of each model: its metric, 1 where it is good enough, and its heatmaps."""
    asked = 0

    def judge(
        compiled: Any, frames: Iterable[Any]
    ) -> tuple[float, list[list[NDArray[np.float32]]]]:
        nonlocal asked
        asked += 1
        report(1 - 1 / (1 + asked / 20), "quantising")  # nobody knows how many are to come
        outputs = [_outputs(compiled, frame) for frame in frames]
        heatmap = np.concatenate([output[0] for output in outputs])
        values = [[one] for one in heatmap]
        if len(heatmap) < 2 * len(masks):  # some frames, to rank layers
            return 1.0, values
        score = np.concatenate([output[1] for output in outputs])
        loss = measure(masks, score, heatmap).loss(reference)
        return 1 + min(ENOUGH - loss, 0.0), values

    return judge


def _outputs(compiled: Any, frame: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Heatmap and score of a frame, or of an input that was made from it."""
    found = compiled(frame if isinstance(frame, dict) else _as_input(frame))
    return found["heatmap"].copy(), found["score"].copy()


def _library() -> Any:
    """NNCF, told to be silent. Raises EngineError where it is missing."""
    try:
        import nncf
    except ImportError as error:
        raise EngineError(f"int8 needs NNCF ({error}): {INSTALL}") from None
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def _as_input(frame: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    return {"image": frame[None]}


def _parameters(nncf: Any, *, per_tensor: bool) -> Any:
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.quantization.advanced_parameters import QuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    # The range with the least error: with minima and maxima scores moved 1.4 times as far (mtd).
    ranges = RangeEstimatorParametersSet.HISTOGRAM
    if not per_tensor:
        return nncf.AdvancedQuantizationParameters(activations_range_estimator_params=ranges)
    activations = QuantizationParameters(mode=QuantizationScheme.SYMMETRIC, per_channel=False)
    return nncf.AdvancedQuantizationParameters(
        activations_quantization_params=activations,
        activations_range_estimator_params=ranges,
    )


def _float_layers(model: openvino.Model) -> list[str]:
    """The first and the last convolution, and all that needs more than eight bits."""
    operations = model.get_ordered_ops()
    names = [_name(o) for o in operations if "Convolution" in o.get_type_name()]
    found = {names[0], names[-1]} if names else set()  # in older files the last has no prefix
    found |= {_name(o) for o in operations if o.get_type_name() in FLOAT_KINDS}
    found |= {_name(o) for o in operations if _name(o).startswith(FLOAT_PARTS)}
    behind: set[str] = set()
    for operation in operations:  # each after its inputs
        sources = {
            _name(operation.input_value(i).get_node()) for i in range(operation.get_input_size())
        }
        if operation.get_type_name() in FLOAT_FROM or sources & behind:
            behind.add(_name(operation))
    return sorted(found | behind)


def _name(operation: Any) -> str:
    return str(operation.get_friendly_name())
