"""The training loop: good images in, trained networks out. Read `train` first."""

import copy
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn

from trainer.data.sources import Images
from trainer.network.make import make_network
from trainer.network.network import Network
from trainer.simulation.simulate import Simulated, Simulation
from trainer.training.batches import (
    Batch,
    Batches,
    make_batches,
    make_simulation,
    to_pool,
    typical,
    unvaried,
)
from trainer.training.checkpoint import Checkpoint, TrainingError
from trainer.training.distributed import ProcessGroup
from trainer.training.interrupt import deferred_interrupt
from trainer.training.progress import LOG_EVERY, TrainingProgress
from trainer.training.schedule import settled, time_of_plateau, trapezoid_of
from trainer.training.settings import TrainSettings
from trainer.training.state import MakeNetwork, TrainingState, initial_state
from trainer.training.validate import (
    AT_ONCE,
    Point,
    best_of,
    fresh_anomalies,
    recompute_statistics,
    validate,
    validation_set,
)

log = logging.getLogger(__name__)

SAVE_EVERY_S = 60


@dataclass(frozen=True, eq=False)
class TrainingOutcome:
    """The best networks, on the CPU in eval mode; all validations; steps and seconds."""

    model: Network
    curve: list[Point]
    steps: int
    seconds: float

    @property
    def best(self) -> Point:
        return best_of(self.curve)


def train(
    settings: TrainSettings,
    images: Images,
    group: ProcessGroup,
    *,
    folder: Path | None = None,
    saved: dict[str, Any] | None = None,
    simulation: Simulation | None = None,
    make: MakeNetwork = make_network,
) -> TrainingOutcome:
    """Train, validate, and keep the best weights. Resumes `saved`; checkpoints go to `folder`.

    Ctrl-C saves within ten steps. Raises TrainingError where the loss is not finite.
    """
    simulation = simulation or make_simulation(settings, images, group.device)
    batches = make_batches(settings, images.train, simulation, group)
    held_out = validation_set(to_pool(images.validation, group.device), simulation, settings.seed)
    state = initial_state(settings, group, typical(batches), make)
    if saved:
        state.restore(saved)
        log.info("resuming at step %d of %d", state.step, state.steps)
    else:  # from here on a killed training can be resumed
        save_checkpoint(folder, settings, images, group, state)
    start, saved_at = time.monotonic() - state.seconds, time.monotonic()
    limit_s = None if settings.max_minutes is None else 60 * settings.max_minutes
    with TrainingProgress(state, group, folder, limit_s) as progress, deferred_interrupt() as stop:
        while state.step < state.steps:
            losses = train_step(state, batches(state.step), settings)
            state.seconds = time.monotonic() - start
            progress.step(state, losses)
            stopping = stop_requested(stop, state, group)
            validating = state.step % settings.validate_every == 0 or state.step == state.steps
            saving = validating or stopping or time.monotonic() - saved_at > SAVE_EVERY_S
            if saving or state.step % LOG_EVERY == 0:
                check_finite(losses, state.step)
            if validating and group.is_main:
                keep_best(state, batches, held_out)
                progress.validated(state.curve)
            if validating or state.step % LOG_EVERY == 0:
                end_soon(state, settings, group, validating=validating)
            if saving:
                save_checkpoint(folder, settings, images, group, state)
                saved_at = time.monotonic()
            if stopping:
                raise KeyboardInterrupt
    return outcome(settings, state, make, batches, held_out)


def train_step(state: TrainingState, batch: Batch, settings: TrainSettings) -> dict[str, Tensor]:
    """One step of both networks together."""
    images = batch.simulated.images.contiguous(memory_format=torch.channels_last)
    with autocast(state, batch.good.device):
        losses: dict[str, Tensor] = state.objective(batch.good, images, batch.simulated.mask)
    state.optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(total(losses)).backward()  # type: ignore[no-untyped-call]
    if settings.clip:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.schedule.step()
    state.averaged.update_parameters(state.model)
    state.step += 1
    return losses


def autocast(state: TrainingState, device: torch.device) -> torch.autocast:
    """Convolutions in the training's precision."""
    return torch.autocast(device.type, state.precision, enabled=state.precision != torch.float32)


def total(losses: dict[str, Tensor]) -> Tensor:
    """What is minimised."""
    return torch.stack(list(losses.values())).sum()


def stop_requested(stop: Event, state: TrainingState, group: ProcessGroup) -> bool:
    """Whether Ctrl-C was pressed; of several processes all get the same answer at the same step."""
    if group.size > 1 and state.step % LOG_EVERY:
        return False
    return bool(group.maximum(stop.is_set()))


def check_finite(losses: dict[str, Tensor], step: int) -> None:
    """Raise TrainingError for a loss that is infinite or no number."""
    loss = total(losses).item()
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} at step {step}: lower --learning-rate or check the images"
        )


def keep_best(state: TrainingState, batches: Batches, held_out: Simulated) -> None:
    """Validate the averaged weights, and keep them if they are the best so far."""
    candidate: Network = copy.deepcopy(state.averaged.module)  # type: ignore[assignment]
    with autocast(state, batches.images.device):
        recompute_statistics(candidate, batches)
    point = validate(candidate, held_out, state.step)
    state.curve.append(point)
    if best_of(state.curve) is point:
        state.best = {name: value.cpu() for name, value in candidate.state_dict().items()}


def end_soon(
    state: TrainingState, settings: TrainSettings, group: ProcessGroup, *, validating: bool
) -> None:
    """Begin the schedule's last phase where validations gain nothing, or the time is over.

    Not where the user chose a length. Rank 0, which validates, decides for all processes.
    """
    shape = trapezoid_of(state.schedule)
    if settings.max_minutes is None or shape is None or shape.decays(state.step):
        return
    late = state.seconds > time_of_plateau(settings.max_minutes)
    if not group.maximum(group.is_main and (late or (validating and settled(state.curve)))):
        return
    shape.end_soon(state.step)
    state.steps = shape.steps
    why = "the time is limited (--max-minutes)" if late else "nothing more is gained"
    log.info("%s: the last phase begins, %d steps in all", why, state.steps)


def save_checkpoint(
    folder: Path | None,
    settings: TrainSettings,
    images: Images,
    group: ProcessGroup,
    state: TrainingState,
) -> None:
    """Save everything that a resumed training needs; only rank 0 does."""
    if folder and group.is_main:
        Checkpoint(settings, images.digest, group.size, state.saved()).save(folder)


def outcome(
    settings: TrainSettings,
    state: TrainingState,
    make: MakeNetwork,
    batches: Batches,
    held_out: Simulated,
) -> TrainingOutcome:
    """The best networks; in processes other than rank 0, which validate nothing, untrained ones."""
    model = make(settings.network_spec).eval()
    if state.best:
        device = batches.images.device
        model.load_state_dict(state.best)
        good = torch.split(held_out.images[len(held_out.images) // 2 :], AT_ONCE)
        anomalous = fresh_anomalies(good, batches.simulation, settings.seed)
        model.to(device).remember(unvaried(batches), good, anomalous, settings.seed)
    return TrainingOutcome(model.cpu(), state.curve, state.step, state.seconds)
