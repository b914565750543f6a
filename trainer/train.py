"""The training loop: good images in, trained networks out. Read `train` first."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer import checkpoint
from trainer.anomaly import Simulated, Simulation, TextureSource
from trainer.batches import Batch, Batches, to_pool
from trainer.checkpoint import TrainingError
from trainer.logs import Logs, logs
from trainer.loss import Losses, draem_loss
from trainer.model import Draem
from trainer.settings import TrainSettings
from trainer.state import State, averaged_networks, fresh, memory_format
from trainer.textures import pictures, procedural
from trainer.validate import (
    Point,
    recompute_statistics,
    statistics_batches,
    validate,
    validation_set,
)
from trainer.world import World

log = logging.getLogger(__name__)

SAVE_EVERY_S = 60
TIMED_STEPS, UNTIMED_STEPS = 6, 2
VALIDATION_SHARE = 0.12  # of a budget of minutes: validating, saving, and timing too few steps


@dataclass(frozen=True, eq=False)
class Images:
    """Good images uint8 [N, H, W, 3]: to train on, to validate with, and the digest of them all."""

    train: NDArray[np.uint8]
    validation: NDArray[np.uint8]
    digest: str = ""

    @property
    def gray(self) -> bool:
        """Whether no image has any colour."""
        return all(
            bool((i[..., :1] == i).all()) for part in (self.train, self.validation) for i in part
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """The best networks, on the CPU in eval; the validations that chose them; steps and seconds."""

    model: Draem
    curve: list[Point]
    steps: int
    seconds: float

    @property
    def best(self) -> Point:
        return best_of(self.curve)


def texture_source(folder: Path | None, device: torch.device) -> TextureSource:
    """The procedures, or the pictures of a folder."""
    return procedural if folder is None else pictures(folder, device)


def simulation_of(settings: TrainSettings, images: Images, device: torch.device) -> Simulation:
    """How the settings make anomalies for such images."""
    textures = texture_source(settings.textures, device)
    return Simulation(textures, good_share=settings.good_share, gray=images.gray)


def make_batches(
    settings: TrainSettings, images: NDArray[np.uint8], simulation: Simulation, world: World
) -> Batches:
    """The training's batches for one process."""
    return Batches(
        to_pool(images, world.device),
        simulation,
        settings.batch,
        settings.seed,
        settings.rotation,
        rank=world.rank,
        world=world.size,
    )


def train(
    settings: TrainSettings,
    images: Images,
    world: World,
    *,
    folder: Path | None = None,
    saved: dict[str, object] | None = None,
    simulation: Simulation | None = None,
    networks: type[Draem] = Draem,
) -> Outcome:
    """Train, validate, keep the best; with a `folder`, checkpoints go there. `saved` is resumed.

    Raises TrainingError where the loss stops being a number.
    """
    usual = simulation_of(settings, images, world.device)
    batches = make_batches(settings, images.train, simulation or usual, world)
    held = validation_set(to_pool(images.validation, world.device), usual, settings.seed)
    state = fresh(settings, world, networks)
    if saved is not None:
        state.restore(saved)
    start = saved_at = time.monotonic() - state.seconds
    with logs(settings, state, folder, quiet=not world.leads) as told:
        while state.step < settings.steps:
            losses = take_step(state, batches(state.step), settings)
            check(told.step(state, losses), state.step)
            state.seconds = time.monotonic() - start
            due = state.step % settings.validate_every == 0 or state.step == settings.steps
            if due and world.leads:
                keep_best(state, batches, held, told)
            if folder and world.leads and (due or time.monotonic() - saved_at > SAVE_EVERY_S):
                checkpoint.save(folder, settings, images.digest, state.saved())
                saved_at = time.monotonic()
    return outcome(settings, state, networks)


def take_step(state: State, batch: Batch, settings: TrainSettings) -> Losses:
    """One step of both networks together."""
    device = batch.good.device.type
    images = batch.simulated.images.contiguous(memory_format=memory_format(batch.good.device))
    with torch.autocast(device, state.precision, enabled=state.precision != torch.float32):
        output = state.forward(images)
        losses = draem_loss(output.reconstruction, batch.good, output.logits, batch.simulated.mask)
    state.optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
    if settings.clip:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.schedule.step()
    state.averaged.update_parameters(state.model)
    state.step += 1
    return losses


def check(loss: float, step: int) -> None:
    """Raise TrainingError for a loss that is no number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} at step {step}: lower --learning-rate or look at the images"
        )


def keep_best(state: State, batches: Batches, held: Simulated, told: Logs) -> None:
    """Validate the averaged weights with statistics of their own; keep them if none were better."""
    candidate = averaged_networks(state)
    recompute_statistics(candidate, statistics_batches(batches))
    point = validate(candidate, held, state.step)
    state.curve.append(point)
    best = point is best_of(state.curve)
    if best:
        state.best = {name: value.cpu() for name, value in candidate.state_dict().items()}
    told.validated(point, best)


def best_of(curve: list[Point]) -> Point:
    """The highest pixel AP, which hot spots on good images lower too; of equals the latest."""
    return max(curve, key=lambda point: (point.pixel_ap, point.step))


def outcome(settings: TrainSettings, state: State, networks: type[Draem]) -> Outcome:
    """The best networks, unwrapped; processes that do not lead have validated none."""
    model = networks(settings.rec_width, settings.seg_width)
    if state.best:
        model.load_state_dict(state.best)
    return Outcome(model.eval(), state.curve, state.step, state.seconds)


def count_steps(settings: TrainSettings, images: Images, world: World) -> TrainSettings:
    """The settings with `steps` made of --epochs, or of --minutes and a few timed steps."""
    if settings.epochs:
        each = math.ceil(len(images.train) / (settings.batch * world.size))
        return settings.model_copy(update={"steps": settings.epochs * each})
    if settings.minutes:
        steps = steps_in(settings.minutes, time_step(settings, images, world))
        return settings.model_copy(update={"steps": world.agree(steps)})
    return settings


def steps_in(minutes: float, step_seconds: float) -> int:
    """How many steps fit, with time left for the validations."""
    return max(1, int(minutes * 60 * (1 - VALIDATION_SHARE) / step_seconds))


def time_step(
    settings: TrainSettings,
    images: Images,
    world: World,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds of a step by `clock`, the median of a few on networks that are thrown away."""
    state = fresh(settings, world)
    simulation = simulation_of(settings, images, world.device)
    batches = make_batches(settings, images.train, simulation, world)
    times = []
    for step in range(UNTIMED_STEPS + TIMED_STEPS):
        start = clock()
        loss: Tensor = take_step(state, batches(step), settings).total
        loss.item()
        times.append(clock() - start)
    return float(np.median(times[UNTIMED_STEPS:]))
