"""A picture sheet of what the network will see."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.training.distributed import World
from trainer.training.train import Images, make_batches, simulation_of
from trainer.training.train_settings import TrainSettings

ROWS = 8


def sheet(settings: TrainSettings, images: Images) -> NDArray[np.uint8]:
    """BGR picture of good images, the same with anomalies and their masks, two triples a row."""
    world = World(torch.device("cpu"))
    whole = settings.model_copy(update={"batch": 2 * ROWS, "good_share": 0.25})
    simulation = simulation_of(whole, images, world.device)
    batch = make_batches(whole, images.train, simulation, world)(0)
    masks = batch.simulated.mask[:, None].expand(-1, 3, -1, -1)
    triples = torch.cat((batch.good, batch.simulated.images, masks), dim=3)
    rows = [torch.cat((triples[i], triples[i + ROWS]), dim=2) for i in range(ROWS)]
    return to_picture(torch.cat(rows, dim=1))


def to_picture(image: Tensor) -> NDArray[np.uint8]:
    """A tensor [3, H, W] in 0..1 as uint8 HWC."""
    rounded = (image.clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())
