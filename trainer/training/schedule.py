"""How the learning rate goes over a training, and when a training may end early."""

from collections.abc import Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from trainer.training.settings import TrainSettings
from trainer.training.validate import Point

WARM_UP = 100
DECAY = 0.35
"""The last share of a training, in which the rate decays to nothing."""
RESERVE = 0.05
"""Of a training's time: for reading, saving and exporting."""
PATIENCE = 3
GAIN = 0.005
"""Of image AUROC plus pixel AP: less is no gain."""


class Trapezoid:
    """A warm-up, a plateau, and a linear decay at the end, which may be moved forward.

    So a training can end as soon as nothing is gained, whatever its length was to be.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.decay = steps, max(1, round(DECAY * steps))

    def __call__(self, step: int) -> float:
        return max(0.0, min(1, (step + 1) / WARM_UP, (self.steps - step) / self.decay))

    def end_soon(self, step: int) -> None:
        """Begin the decay at `step`."""
        self.decay = max(1, round(step * DECAY / (1 - DECAY)))
        self.steps = min(self.steps, step + self.decay)

    def decays(self, step: int) -> bool:
        """Whether the rate decays at `step`."""
        return step >= self.steps - self.decay


def settled(curve: Sequence[Point]) -> bool:
    """Whether the last validations gained nothing over those before."""
    quality = [point.image_auroc + point.pixel_ap for point in curve]
    before, last = quality[:-PATIENCE], quality[-PATIENCE:]
    return bool(before) and max(last) < max(before) + GAIN


def time_of_plateau(minutes: float) -> float:
    """The seconds after which the decay must begin, to end after about `minutes`."""
    return 60 * minutes * (1 - RESERVE) * (1 - DECAY)


def make_schedule(optimizer: Optimizer, settings: TrainSettings) -> LRScheduler:
    """The settings' schedule; 'steps' is the paper's: x0.2 at 80 % and again at 90 %."""
    if settings.schedule == "trapezoid":
        return LambdaLR(optimizer, Trapezoid(settings.steps))
    if settings.schedule == "one-cycle":  # a warm-up and a cosine
        total = max(settings.steps, 2)  # with one step PyTorch divides by zero
        return OneCycleLR(optimizer, settings.learning_rate, total, pct_start=0.15)
    milestones = [settings.steps * 8 // 10, settings.steps * 9 // 10]
    return MultiStepLR(optimizer, milestones, gamma=0.2)


def trapezoid_of(schedule: LRScheduler) -> Trapezoid | None:
    """The part of a schedule that can end early; None where there is none."""
    shape = schedule.lr_lambdas[0] if isinstance(schedule, LambdaLR) else None
    return shape if isinstance(shape, Trapezoid) else None
