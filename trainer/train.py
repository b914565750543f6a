"""The training loop: good images in, trained networks out. Read `train` first."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Generator, Tensor, nn
from torch.nn.functional import affine_grid, grid_sample
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge.errors import DraemError
from trainer.anomaly import Simulated, TextureSource, simulate, uniform
from trainer.data import draw_batch
from trainer.loss import draem_loss
from trainer.model import Draem
from trainer.settings import TrainSettings
from trainer.textures import pictures, procedural

log = logging.getLogger(__name__)

EMA_DECAY = 0.99
CLIP = 1.0
STATISTICS_BATCHES = 40


class TrainingError(DraemError):
    """Training cannot go on."""


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def texture_source(folder: Path | None, device: torch.device) -> TextureSource:
    """The procedures, or the pictures of a folder."""
    return procedural if folder is None else pictures(folder, device)


def rotate(images: Tensor, degrees: float, generator: Generator) -> Tensor:
    """Turn each image [N, 3, H, W] by up to +-degrees about its centre, its border mirrored."""
    if degrees == 0:
        return images
    angle = uniform(len(images), -degrees, degrees, generator).flatten() * math.pi / 180
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    aspect = images.shape[2] / images.shape[3]
    rows = [torch.stack(r, dim=1) for r in ((cos, -sin * aspect, zero), (sin / aspect, cos, zero))]
    grid = affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def make_batches(
    images: NDArray[np.uint8], settings: TrainSettings, generator: Generator
) -> Callable[[], tuple[Tensor, Simulated]]:
    """A function that draws (good images, the same with anomalies) afresh at each call."""
    textures = texture_source(settings.textures, generator.device)

    def draw() -> tuple[Tensor, Simulated]:
        good = draw_batch(images, settings.batch, generator)
        good = rotate(good, settings.rotation, generator)
        good = good.contiguous(memory_format=torch.channels_last)
        return good, simulate(good, textures, generator)

    return draw


def make_model(settings: TrainSettings, seed: int) -> Draem:
    """Fresh networks; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Draem(settings.rec_width, settings.seg_width)
    return model


def channels_last(model: nn.Module) -> None:
    """The memory layout in which convolutions are fastest, for every weight."""
    for weight in model.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)


def train(settings: TrainSettings, images: NDArray[np.uint8]) -> Draem:
    """Train on good images uint8 [N, H, W, 3]; returns the averaged networks on the CPU, in eval.

    Raises TrainingError where the loss stops being a number.
    """
    device = pick_device(settings.device)
    model = make_model(settings, settings.seed)
    channels_last(model.to(device))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY))  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = OneCycleLR(optimizer, settings.learning_rate, settings.steps, pct_start=0.15)
    draw = make_batches(images, settings, Generator(device).manual_seed(settings.seed))
    with progress_bar() as bar:
        task = bar.add_task("training", total=settings.steps, loss=math.nan)
        for step in range(1, settings.steps + 1):
            good, simulated = draw()
            output = model(simulated.images)
            loss = draem_loss(output.reconstruction, good, output.logits, simulated.mask)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(model)
            report(bar, task, step, settings.steps, loss.item())
    best = cast(Draem, averaged.module)
    recompute_statistics(best, lambda: draw()[1].images)
    return best.cpu().eval()


def progress_bar() -> Progress:
    """Steps, loss, time passed and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )


def report(bar: Progress, task: object, step: int, steps: int, loss: float) -> None:
    """Move the bar; where nobody sees one, a line each tenth of the way."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} at step {step}: lower --learning-rate or look at the images"
        )
    bar.update(task, advance=1, loss=loss)  # type: ignore[arg-type]
    if not bar.console.is_terminal and step % max(1, steps // 10) == 0:
        log.info("step %d of %d, loss %.4f", step, steps, loss)


def recompute_statistics(model: nn.Module, draw: Callable[[], Tensor]) -> None:
    """BatchNorm's means and variances for averaged weights, over fresh batches.

    The running ones belong to weights that are gone.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    model.train()
    with torch.no_grad():
        for _ in range(STATISTICS_BATCHES):
            model(draw())
