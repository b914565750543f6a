"""A sheet of pictures that shows what the network will be trained on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.data.sources import Images
from trainer.training.batches import make_batches, make_simulation
from trainer.training.distributed import ProcessGroup
from trainer.training.settings import TrainSettings

ROWS = 8


def sheet(settings: TrainSettings, images: Images) -> NDArray[np.uint8]:
    """BGR picture of good images, the same with anomalies, and their masks; six pictures a row."""
    group = ProcessGroup(torch.device("cpu"))
    whole = settings.model_copy(update={"batch": 2 * ROWS, "good_share": 0.25})
    simulation = make_simulation(whole, images, group.device)
    batch = make_batches(whole, images.train, simulation, group)(0)
    masks = batch.simulated.mask[:, None].expand(-1, 3, -1, -1)
    triples = torch.cat((batch.good, batch.simulated.images, masks), dim=3)
    rows = [torch.cat((triples[i], triples[i + ROWS]), dim=2) for i in range(ROWS)]
    return to_picture(torch.cat(rows, dim=1))


def to_picture(image: Tensor) -> NDArray[np.uint8]:
    """A tensor [3, H, W] in 0..1 as uint8 HWC."""
    rounded = (image.clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())
