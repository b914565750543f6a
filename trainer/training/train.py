"""The training loop: good images in, trained networks out. Read `train` first."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.network.loss import Losses, draem_loss
from trainer.network.model import Draem
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulated, Simulation, mixed
from trainer.simulation.textures import TextureSource, pictures, procedural
from trainer.training import checkpoint
from trainer.training.batches import Batch, Batches, to_pool
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import World
from trainer.training.interrupt import deferred_interrupt
from trainer.training.progress_log import LOSS_EVERY, Logs, logs
from trainer.training.state import TrainingState, averaged_networks, fresh
from trainer.training.train_settings import TrainSettings
from trainer.training.validate import (
    Point,
    recompute_statistics,
    statistics_batches,
    validate,
    validation_set,
)

log = logging.getLogger(__name__)

SAVE_EVERY_S = 60
TIMED_STEPS, UNTIMED_STEPS = 6, 2
SPARE = 0.03  # of a budget of minutes: saving, exporting, and timing too few steps


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
class TrainingOutcome:
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
    make = mixed if settings.simulation == "mixed" else Simulation
    return make(textures, gray=images.gray, good_share=settings.good_share)


def make_batches(
    settings: TrainSettings, images: NDArray[np.uint8], simulation: Simulation, world: World
) -> Batches:
    """The training's batches for one process."""
    return Batches(
        to_pool(images, world.device),
        simulation,
        settings.batch,
        settings.seed,
        Augmentation(settings.rotation, settings.mirror, settings.light),
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
) -> TrainingOutcome:
    """Train, validate, keep the best; with a `folder`, checkpoints go there. `saved` is resumed.

    Ctrl-C saves after the step in hand, among several processes within ten. Raises TrainingError
    where the loss stops being a number.
    """
    simulation = simulation or simulation_of(settings, images, world.device)
    batches = make_batches(settings, images.train, simulation, world)
    held = validation_set(to_pool(images.validation, world.device), simulation, settings.seed)
    state = fresh(settings, world, networks)
    if saved is not None:
        state.restore(saved)
        log.info("going on at step %d of %d", state.step, settings.steps)
    elif folder and world.leads:  # from here on it can be killed: how many steps is settled
        checkpoint.save(folder, settings, images.digest, world.size, state.saved())
    start, saved_at = time.monotonic() - state.seconds, time.monotonic()
    with (
        logs(settings, state, folder, quiet=not world.leads) as told,
        deferred_interrupt() as interrupted,
    ):
        while state.step < settings.steps:
            losses = take_step(state, batches(state.step), settings)
            told.step(state, losses)
            state.seconds = time.monotonic() - start
            # Several processes stop at the same step, or those that go on wait for the others.
            asked = world.size == 1 or state.step % LOSS_EVERY == 0
            stopping = asked and world.any(interrupted.is_set())
            due = state.step % settings.validate_every == 0 or state.step == settings.steps
            saving = due or stopping or time.monotonic() - saved_at > SAVE_EVERY_S
            if saving or state.step % LOSS_EVERY == 0:
                check(losses.total.item(), state.step)
            if due and world.leads:
                keep_best(state, batches, held, told)
            if saving and folder and world.leads:
                checkpoint.save(folder, settings, images.digest, world.size, state.saved())
                saved_at = time.monotonic()
            if stopping:
                raise KeyboardInterrupt
    return outcome(settings, state, networks)


def take_step(state: TrainingState, batch: Batch, settings: TrainSettings) -> Losses:
    """One step of both networks together."""
    device = batch.good.device.type
    images = batch.simulated.images.contiguous(memory_format=torch.channels_last)
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


def keep_best(state: TrainingState, batches: Batches, held: Simulated, told: Logs) -> None:
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


def outcome(
    settings: TrainSettings, state: TrainingState, networks: type[Draem]
) -> TrainingOutcome:
    """The best networks, unwrapped; processes that do not lead have validated none."""
    model = networks(settings.rec_width, settings.seg_width, settings.window)
    if state.best:
        model.load_state_dict(state.best)
    return TrainingOutcome(model.eval(), state.curve, state.step, state.seconds)


def count_steps(settings: TrainSettings, images: Images, world: World) -> TrainSettings:
    """The settings with `steps` made of --epochs, or of --minutes and a few timed steps."""
    if settings.epochs:
        each = math.ceil(len(images.train) / (settings.batch * world.size))
        return settings.model_copy(update={"steps": settings.epochs * each})
    if settings.minutes:
        times = time_training(settings, images, world)
        steps = steps_in(settings.minutes, times, settings.validate_every)
        return settings.model_copy(update={"steps": world.agree(steps)})
    return settings


class Times(NamedTuple):
    """Seconds of a step and of a validation."""

    step: float
    validation: float


def steps_in(minutes: float, times: Times, validate_every: int) -> int:
    """How many steps fit, with time left for their validations."""
    seconds = minutes * 60 * (1 - SPARE) - times.validation
    return max(1, int(seconds / (times.step + times.validation / validate_every)))


def time_training(
    settings: TrainSettings,
    images: Images,
    world: World,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """By `clock`, the median of a few steps and one validation of networks that are thrown away."""
    simulation = simulation_of(settings, images, world.device)
    batches = make_batches(settings, images.train, simulation, world)
    held = validation_set(to_pool(images.validation, world.device), simulation, settings.seed)
    state = fresh(settings, world)
    steps = []
    for step in range(UNTIMED_STEPS + TIMED_STEPS):
        start = clock()
        take_step(state, batches(step), settings).total.item()
        steps.append(clock() - start)
    start = clock()
    candidate = averaged_networks(state)
    recompute_statistics(candidate, statistics_batches(batches))
    validate(candidate, held, state.step)
    return Times(float(np.median(steps[UNTIMED_STEPS:])), clock() - start)
