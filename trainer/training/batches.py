"""Batches for training: each is a function of seed, stream, step and rank, and of nothing else.

So the same seed gives the same batches on one device in whatever order they are made, and a resumed
training continues with the batches that it would have had. The images are held on the training
device as uint8: there is no loading to wait for. Of large ones, only crops go there.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from trainer.data.pictures import Pictures
from trainer.data.sources import Images, Sources
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulated, Simulation, mixed
from trainer.simulation.textures import TextureSource, pictures, procedural
from trainer.training.crops import Crops, fixed_crops, rotation_margin
from trainer.training.distributed import ProcessGroup
from trainer.training.settings import TrainSettings

MAX_STEPS = 2**24
"""More than a training has: each process has a range of random seeds of this length."""


TYPICAL_BATCHES = 16
MIN_CROPS = 512
"""Of large images that are remembered: of few images several crops."""
VALIDATION_CROPS = 64


class Batch(NamedTuple):
    """Good images [N, 3, H, W] in 0..1, and the same with anomalies."""

    good: Tensor
    simulated: Simulated


@dataclass(frozen=True, eq=False)
class Batches:
    """`batches(step)` is one process's batch of a step.

    `images` are good, from `to_pool`, or crops of large ones; they are augmented before anomalies
    are drawn.
    """

    images: Tensor | Crops
    simulation: Simulation
    batch: int
    seed: int
    augmentation: Augmentation = field(default_factory=Augmentation)
    stream: str = "training"
    rank: int = 0
    processes: int = 1

    def __call__(self, step: int) -> Batch:
        generator = self._generator(step)
        good = self._good(step, generator)
        return Batch(good, self.simulation(good, generator))

    def good(self, step: int) -> Tensor:
        """The good images of a step alone."""
        return self._good(step, self._generator(step))

    def _generator(self, step: int) -> Generator:
        seed_step = self.rank * MAX_STEPS + step
        return generator_for(self.images.device, self.seed, self.stream, 0, step=seed_step)

    def _good(self, step: int, generator: Generator) -> Tensor:
        chosen = self.chosen(step)
        if isinstance(self.images, Crops):
            good = to_float(self.images.draw(chosen.tolist(), generator))
            return self.images.without_margin(self.augmentation(good, generator))
        good = to_float(self.images[chosen.to(self.images.device)])
        return self.augmentation(good, generator)

    def chosen(self, step: int) -> Tensor:
        """The indices of the images: the processes of a step share the epoch's order."""
        count = len(self.images)
        first = (step * self.processes + self.rank) * self.batch
        places = [divmod(first + i, count) for i in range(self.batch)]
        picked = [epoch_order(count, self.seed, self.stream, e)[place] for e, place in places]
        return torch.stack(picked)


def typical(batches: Batches) -> Iterator[Tensor]:
    """A few batches of good images, the same in all processes of a training."""
    same = replace(batches, stream="typical", rank=0, processes=1)
    return (same.good(step) for step in range(TYPICAL_BATCHES))


def unvaried(batches: Batches) -> Iterator[Tensor]:
    """Each good image at least once as it is, in batches; of large ones many crops."""
    plain = Augmentation()
    same = replace(batches, augmentation=plain, stream="unvaried", rank=0, processes=1)
    crops = MIN_CROPS if isinstance(batches.images, Crops) else 0
    return (same.good(step) for step in range(-(-max(len(batches.images), crops) // batches.batch)))


def generator_for(device: torch.device, *names: object, step: int = 0) -> Generator:
    """A random generator that belongs to `names` and to one of their steps.

    A generator on the CPU takes 32 bits of its seed. Steps count up in them, so that no two steps
    of the same names have the same seed.
    """
    hashed = hashlib.sha256(":".join(map(str, names)).encode()).digest()
    start = int.from_bytes(hashed[:4], "big")
    return Generator(device).manual_seed((start + step) % 2**32)


@lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, stream: str, epoch: int) -> Tensor:
    """The order of the images in one epoch; each comes once."""
    order = generator_for(torch.device("cpu"), seed, stream, "epoch", step=epoch)
    return torch.randperm(count, generator=order)


def to_pool(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] to uint8 [N, 3, H, W] on `device`."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous()


def to_float(pool: Tensor) -> Tensor:
    """uint8 to float in 0..1."""
    return pool.float().div_(255)


def to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in 0..1 on `device`."""
    return to_float(to_pool(images, device))


def texture_source(folder: Path | None, device: torch.device) -> TextureSource:
    """Procedural textures, or the pictures of a folder."""
    return procedural if folder is None else pictures(folder, device)


def make_simulation(settings: TrainSettings, images: Images, device: torch.device) -> Simulation:
    """The simulation of anomalies that the settings ask for."""
    make = mixed if settings.simulation == "mixed" else Simulation
    textures = texture_source(settings.textures, device)
    return make(textures, gray=images.gray, good_share=settings.good_share)


def make_batches(
    settings: TrainSettings,
    images: NDArray[np.uint8] | Pictures,
    simulation: Simulation,
    group: ProcessGroup,
) -> Batches:
    """The training's batches for one process."""
    return Batches(
        _pool(settings, images, group.device),
        simulation,
        settings.batch,
        settings.seed,
        Augmentation(settings.rotation, settings.mirror, settings.light),
        rank=group.rank,
        processes=group.size,
    )


def _pool(
    settings: TrainSettings, images: NDArray[np.uint8] | Pictures, device: torch.device
) -> Tensor | Crops:
    """What batches are drawn from: images on the device, or crops of pictures of any size."""
    if isinstance(images, Pictures):
        height, width = settings.input_shape
        margin = rotation_margin(height, width, settings.rotation)
        return Crops(images, height, width, device, margin)
    return to_pool(images, device)


def training_images(settings: TrainSettings, sources: Sources) -> Images:
    """What the settings train and validate on: whole images, or crops of them."""
    if settings.tile is None:
        return sources.training_images()
    generator = generator_for(torch.device("cpu"), settings.seed, "validation crops")
    held_out = sources.pictures("validation")
    crops = fixed_crops(held_out, *settings.input_shape, VALIDATION_CROPS, generator)
    return Images(sources.pictures("train"), crops, sources.digest)
