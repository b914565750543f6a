"""Settings of the smallest trainings, shared by the tests of the trainer."""

import torch

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
