"""How many steps a training takes, from its epochs or its minutes."""

import math
import time

import numpy as np

from trainer.data.sources import Images
from trainer.training.batches import make_batches, make_simulation, to_pool, typical
from trainer.training.distributed import ProcessGroup
from trainer.training.settings import TrainSettings
from trainer.training.state import initial_state
from trainer.training.train import keep_best, total, train_step
from trainer.training.validate import validation_set

TIMED_STEPS, UNTIMED_STEPS = 6, 2
RESERVE = 0.03  # of the minutes: for saving and exporting, and because few steps are timed


def count_steps(settings: TrainSettings, images: Images, group: ProcessGroup) -> TrainSettings:
    """The settings with `steps` computed from `epochs`, or from `minutes` and a few timed steps."""
    if settings.epochs:
        each = math.ceil(len(images.train) / (settings.batch * group.size))
        return settings.model_copy(update={"steps": settings.epochs * each})
    if settings.minutes:
        step, validation = time_training(settings, images, group)
        seconds = settings.minutes * 60 * (1 - RESERVE) - validation
        steps = max(1, int(seconds / (step + validation / settings.validate_every)))
        return settings.model_copy(update={"steps": group.maximum(steps)})
    return settings


def time_training(
    settings: TrainSettings, images: Images, group: ProcessGroup
) -> tuple[float, float]:
    """Seconds of a step (median) and of a validation, with networks that are thrown away."""
    simulation = make_simulation(settings, images, group.device)
    batches = make_batches(settings, images.train, simulation, group)
    held_out = validation_set(to_pool(images.validation, group.device), simulation, settings.seed)
    state = initial_state(settings, group, typical(batches))
    steps = []
    for step in range(UNTIMED_STEPS + TIMED_STEPS):
        start = time.perf_counter()
        total(train_step(state, batches(step), settings)).item()  # waits for a GPU
        steps.append(time.perf_counter() - start)
    start = time.perf_counter()
    keep_best(state, batches, held_out)
    return float(np.median(steps[UNTIMED_STEPS:])), time.perf_counter() - start
