"""What a training step costs, and the authors' recipe in turn with this one."""

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader

from edge.camera.simulated.renderer import PartRenderer
from edge.vision.fit import Fit
from trainer.network.loss import draem_loss
from trainer.network.model import Draem
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import mixed
from trainer.simulation.textures import procedural
from trainer.studies.reference_loader import AuthorsDataset, Item
from trainer.training.batches import Batches, to_pool
from trainer.training.distributed import World
from trainer.training.malloc import keep_freed_memory
from trainer.training.state import TrainingState, fresh
from trainer.training.train import make_batches, take_step
from trainer.training.train_settings import TrainSettings

PARTS = 32
WARM_UP = 2
WORKERS = min(16, os.cpu_count() or 1)
SIMULATION_ROUNDS = 30
SIMULATION_SIDE = 256


@dataclass(frozen=True)
class Figures:
    """Milliseconds are medians. `ratio` is the median of the pairs' ratios, theirs over ours.

    `simulation_ms` is of one 256x256 image, turned too, on one core (or the GPU);
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


def measure(settings: TrainSettings, world: World, pairs: int) -> Figures:
    """Time steps of the settings' networks on parts of the simulated line."""
    keep_freed_memory()
    images = parts(settings.height, settings.width)
    simulation = simulation_ms(world.device)
    state = fresh(settings, world)
    batches = make_batches(settings, images, mixed(procedural, gray=False), world)
    theirs = AuthorsLoop(settings, images, world, WARM_UP + pairs)
    made, ours, authors = [], [], []
    for step in range(WARM_UP + pairs):
        start = time.perf_counter()
        batch = batches(step)
        _wait(world)
        drawn = time.perf_counter()
        take_step(state, batch, settings).total.item()
        end = time.perf_counter()
        made.append(drawn - start)
        ours.append(end - start)
        authors.append(theirs.step())
    made, ours, authors = made[WARM_UP:], ours[WARM_UP:], authors[WARM_UP:]
    return Figures(
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


def _wait(world: World) -> None:
    """Until a GPU has done what it was told."""
    if world.device.type == "cuda":
        torch.cuda.synchronize(world.device)


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
            _wait(World(device))
            times.append((time.perf_counter() - start) / batches.batch)
    finally:
        torch.set_num_threads(threads)
    return 1e3 * statistics.median(times[WARM_UP:])


def convolution_share(state: TrainingState, batches: Batches, settings: TrainSettings) -> float:
    """The share of a step's computing that is convolution, forwards and backwards."""
    on_gpu = batches.images.is_cuda
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as seen:
        take_step(state, batches(0), settings).total.item()
    events = seen.key_averages()
    spent = [e.self_device_time_total if on_gpu else e.self_cpu_time_total for e in events]
    convolved = [
        e.device_time_total if on_gpu else e.cpu_time_total
        for e in events
        if e.key in ("aten::convolution", "aten::convolution_backward")
    ]
    return float(sum(convolved) / sum(spent))


class AuthorsLoop:
    """The same networks, losses and batch, fed and laid out as in the authors' code.

    Float32, contiguous, Adam as it comes, each image simulated on its own in a loader's workers:
    sixteen, or as many as there are cores. They fill their queue while the other recipe is timed,
    which is in their favour.
    """

    def __init__(
        self, settings: TrainSettings, images: NDArray[np.uint8], world: World, steps: int
    ) -> None:
        self._model = Draem(settings.rec_width, settings.seg_width).to(world.device)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-4)
        dataset = AuthorsDataset(images, steps * settings.batch)
        self._items: Iterator[Item] = iter(DataLoader(dataset, settings.batch, num_workers=WORKERS))
        self._device = world.device

    def step(self) -> float:
        """Seconds of one step, waiting for the loader included."""
        start = time.perf_counter()
        good, made, mask = (tensor.to(self._device) for tensor in next(self._items))
        output = self._model(made)
        loss = draem_loss(output.reconstruction, good, output.logits, mask).total
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        loss.item()
        return time.perf_counter() - start
