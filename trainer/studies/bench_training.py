"""What a training step costs, in turn with a step of the authors' recipe."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

from edge.camera.simulated.renderer import PartRenderer
from edge.vision.fit import Fit
from trainer.network.loss import draem_loss
from trainer.network.model import Draem
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulation, mixed
from trainer.simulation.textures import procedural
from trainer.training.batches import Batches, make_batches, to_float, to_pool
from trainer.training.distributed import ProcessGroup
from trainer.training.malloc import keep_freed_memory
from trainer.training.settings import TrainSettings
from trainer.training.state import TrainingState, initial_state
from trainer.training.train import train_step

PARTS = 32
WARM_UP = 2
WORKERS = min(16, os.cpu_count() or 1)
SIMULATION_ROUNDS = 30
SIMULATION_SIDE = 256


@dataclass(frozen=True)
class TrainingFigures:
    """Milliseconds are medians. `ratio` is the median of the pairs' ratios, theirs over ours.

    `simulation_ms` is of one 256x256 image, rotated too, on one core (or the GPU);
    `simulation_share` and `convolution_share` are of a step.
    """

    simulation_ms: float
    batch_ms: float
    step_ms: float
    simulation_share: float
    convolution_share: float
    authors_step_ms: float
    ratio: float
    pairs: int


def measure(settings: TrainSettings, group: ProcessGroup, pairs: int) -> TrainingFigures:
    """Time steps of the settings' networks on parts of the simulated line."""
    keep_freed_memory()
    images = parts(settings.height, settings.width)
    simulation = simulation_ms(group.device)
    state = initial_state(settings, group)
    batches = make_batches(settings, images, mixed(procedural, gray=False), group)
    authors_step = authors_recipe(settings, images, group.device, WARM_UP + pairs)
    made, ours, authors = [], [], []
    for step in range(WARM_UP + pairs):
        start = time.perf_counter()
        batch = batches(step)
        _synchronize(group.device)
        made.append(time.perf_counter() - start)
        train_step(state, batch, settings).total.item()
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        authors_step()
        authors.append(time.perf_counter() - start)
    made, ours, authors = made[WARM_UP:], ours[WARM_UP:], authors[WARM_UP:]
    return TrainingFigures(
        simulation_ms=simulation,
        batch_ms=1e3 * statistics.median(made),
        step_ms=1e3 * statistics.median(ours),
        simulation_share=sum(made) / sum(ours),
        convolution_share=convolution_share(state, batches, settings),
        authors_step_ms=1e3 * statistics.median(authors),
        ratio=statistics.median(a / o for a, o in zip(authors, ours, strict=True)),
        pairs=pairs,
    )


def parts(height: int, width: int) -> NDArray[np.uint8]:
    """Good parts of the simulated line, uint8 [N, H, W, 3]."""
    line, fit = PartRenderer("moulded", 0), Fit(height, width)
    return np.stack([fit(line.part(i).image)[0] for i in range(PARTS)])


def _synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def simulation_ms(device: torch.device) -> float:
    """One image of the whole simulation with rotation, on one core where there is no GPU."""
    images = to_pool(parts(SIMULATION_SIDE, SIMULATION_SIDE), device)
    batches = Batches(images, mixed(procedural, gray=False), 8, 0, Augmentation(10))
    threads, times = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for step in range(WARM_UP + SIMULATION_ROUNDS):
            start = time.perf_counter()
            batches(step)
            _synchronize(device)
            times.append((time.perf_counter() - start) / batches.batch)
    finally:
        torch.set_num_threads(threads)
    return 1e3 * statistics.median(times[WARM_UP:])


def convolution_share(state: TrainingState, batches: Batches, settings: TrainSettings) -> float:
    """The share of a step's computing that is convolution, forwards and backwards."""
    on_gpu = batches.images.is_cuda
    with profile(
        activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]
    ) as profiled:
        train_step(state, batches(0), settings).total.item()
    events = profiled.key_averages()
    spent = [e.self_device_time_total if on_gpu else e.self_cpu_time_total for e in events]
    convolved = [
        e.device_time_total if on_gpu else e.cpu_time_total
        for e in events
        if e.key in ("aten::convolution", "aten::convolution_backward")
    ]
    return float(sum(convolved) / sum(spent))


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
        output = model(made)
        loss = draem_loss(output.reconstruction, good, output.logits, mask).total
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()

    return step
