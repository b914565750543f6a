"""The smallest trainings, untrained networks and their exports, shared by the trainer's tests."""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from edge.engine import openvino
from trainer.network.network import Network
from trainer.training.batches import to_tensor
from trainer.training.distributed import ProcessGroup
from trainer.training.settings import TrainSettings

CPU = torch.device("cpu")
ALONE = ProcessGroup(CPU)
SMALL = ("--network", "pixels", "--input", "32", "--widths", "4/4", "--batch", "4")
"""Options of `draem train` for the smallest networks."""


def small_settings(**values: object) -> TrainSettings:
    """Settings of the smallest networks."""
    small: dict[str, object] = {
        "images": "unused", "product": "lid", "products": "unused",
        "network": "pixels", "height": 32, "width": 32, "rec_width": 4, "seg_width": 4,
        "memory": 16, "schedule": "one-cycle", "max_minutes": None, "batch": 4, "device": "cpu",
    }  # fmt: skip
    return TrainSettings.model_validate(small | values)


def adapt_statistics(network: Network, frames: NDArray[np.uint8]) -> None:
    """Give untrained networks the statistics of frames, in their scaling and each BatchNorm."""
    images = to_tensor(frames, CPU)
    network.adapt([images])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    network.train().heatmap(images)
    network.eval()


def run_onnx(
    proto: onnx.ModelProto, frames: NDArray[np.uint8], folder: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score and heatmap of frames by an exported network, in float32 on the CPU."""
    import openvino as ov

    path = folder / "m.onnx"
    onnx.save_model(proto, str(path))
    outputs = ov.Core().compile_model(str(path), "CPU", openvino.CONFIG)(frames)
    return outputs["score"], outputs["heatmap"]
