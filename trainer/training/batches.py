"""Batches for training: each is a function of seed, stream, step and rank, and of nothing else.

So the same seed gives the same batches on one device whoever makes them and in whatever order, a
resumed training goes on with the ones it would have had, and no two steps of a process share their
random numbers, nor do two processes. The images lie on the training device as uint8: there is
nothing to wait for.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulated, Simulation

STEPS = 2**24
"""More than a training has: each process takes its random numbers from a part of their own."""


class Batch(NamedTuple):
    """Good images [N, 3, H, W] in 0..1, and the same with anomalies."""

    good: Tensor
    simulated: Simulated


def generator_for(device: torch.device, *names: object, step: int = 0) -> Generator:
    """Random numbers that belong to `names` and to this one of their steps.

    A generator on the CPU takes 32 bits of its seed: steps count up in them, so that no two of the
    same names are equal.
    """
    mixed = hashlib.sha256(":".join(map(str, names)).encode()).digest()
    start = int.from_bytes(mixed[:4], "big")
    return Generator(device).manual_seed((start + step) % 2**32)


@lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, stream: str, epoch: int) -> Tensor:
    """The images' order in one epoch: every image once, before any comes again."""
    order = generator_for(torch.device("cpu"), seed, stream, "epoch", step=epoch)
    return torch.randperm(count, generator=order)


def to_pool(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images [N, H, W, 3] as batches are drawn from them: [N, 3, H, W] on `device`, still uint8."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous()


def to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in 0..1 on `device`."""
    return to_pool(images, device).float().div_(255)


@dataclass(frozen=True, eq=False)
class Batches:
    """Step `n` of `stream`, for the process `rank` of `world`: `batches(n)`.

    `images` are good, from `to_pool`, and varied before any anomaly comes.
    """

    images: Tensor
    simulation: Simulation
    batch: int
    seed: int
    variation: Augmentation = field(default_factory=Augmentation)
    stream: str = "training"
    rank: int = 0
    world: int = 1

    def __call__(self, step: int) -> Batch:
        device = self.images.device
        first = self.rank * STEPS
        generator = generator_for(device, self.seed, self.stream, 0, step=first + step)
        good = self.images[self.chosen(step).to(device)].float().div_(255)
        good = self.variation(good, generator)
        return Batch(good, self.simulation(good, generator))

    def chosen(self, step: int) -> Tensor:
        """Which images: the processes of a step share out the epoch's order between them."""
        count = len(self.images)
        first = (step * self.world + self.rank) * self.batch
        places = [divmod(first + i, count) for i in range(self.batch)]
        picked = [epoch_order(count, self.seed, self.stream, e)[place] for e, place in places]
        return torch.stack(picked)
