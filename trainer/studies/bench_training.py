"""What a training step costs, in turn with a step of the authors' recipe."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from edge.camera.simulated.renderer import PartRenderer
from trainer.network.pixels.model import Draem
from trainer.simulation.simulate import Simulation, mixed
from trainer.simulation.textures import procedural
from trainer.training.batches import make_batches, to_float, to_pool, typical
from trainer.training.distributed import ProcessGroup
from trainer.training.malloc import keep_freed_memory
from trainer.training.settings import TrainSettings
from trainer.training.state import initial_state
from trainer.training.train import total, train_step

PARTS = 32
WARM_UP = 2
WORKERS = min(16, os.cpu_count() or 1)


@dataclass(frozen=True)
class TrainingFigures:
    """Medians in milliseconds. `simulation_share` is the share of a step that makes its batch;
    `ratio` is the median of the pairs' ratios, the authors' over ours.
    """

    batch_ms: float
    step_ms: float
    simulation_share: float
    authors_step_ms: float
    ratio: float
    pairs: int


def measure(settings: TrainSettings, group: ProcessGroup, pairs: int) -> TrainingFigures:
    """Time steps of the settings' networks on parts of the simulated line."""
    keep_freed_memory()
    line, fit = PartRenderer("moulded", 0), settings.fit
    images = np.stack([fit(line.part(i).image)[0] for i in range(PARTS)])
    batches = make_batches(settings, images, mixed(procedural, gray=False), group)
    state = initial_state(settings, group, typical(batches))
    authors_step = authors_recipe(settings, images, group.device, WARM_UP + pairs)
    times = []
    for step in range(WARM_UP + pairs):
        start = time.perf_counter()
        batch = batches(step)
        if group.device.type == "cuda":
            torch.cuda.synchronize(group.device)
        made = time.perf_counter()
        total(train_step(state, batch, settings)).item()
        trained = time.perf_counter()
        authors_step()
        times.append((made - start, trained - start, time.perf_counter() - trained))
    batch_s, ours, authors = np.array(times[WARM_UP:]).T
    return TrainingFigures(
        batch_ms=1e3 * float(np.median(batch_s)),
        step_ms=1e3 * float(np.median(ours)),
        simulation_share=float(batch_s.sum() / ours.sum()),
        authors_step_ms=1e3 * float(np.median(authors)),
        ratio=float(np.median(authors / ours)),
        pairs=pairs,
    )


class SingleImages(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """(good [3, H, W], the same with or without an anomaly, mask [H, W]), one image at a time."""

    def __init__(self, images: NDArray[np.uint8], count: int) -> None:
        self._images, self._count = to_pool(images, torch.device("cpu")), count
        self._simulation = Simulation(procedural)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        good = to_float(self._images[index % len(self._images)][None])
        made, mask = self._simulation(good, Generator().manual_seed(index))
        return good[0], made[0], mask[0]


def authors_recipe(
    settings: TrainSettings, images: NDArray[np.uint8], device: torch.device, steps: int
) -> Callable[[], None]:
    """A step of the same networks, losses and batch, organised as in the authors' code.

    Float32, contiguous, Adam's defaults; each image is simulated by itself in a loader's workers:
    sixteen, or as many as there are cores. They fill their queue while our recipe is timed, which
    is in the authors' favour.
    """
    model = Draem(settings.rec_width, settings.seg_width).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    dataset = SingleImages(images, steps * settings.batch)
    items = iter(DataLoader(dataset, settings.batch, num_workers=WORKERS))

    def step() -> None:
        good, made, mask = (tensor.to(device) for tensor in next(items))
        loss = total(model.losses(good, made, mask))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()

    return step
