"""What a training shows while it runs: a bar, lines in a log, TensorBoard's curves."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from edge.base.console import console
from trainer.network.loss import Losses
from trainer.training.state import TrainingState
from trainer.training.train_settings import TrainSettings
from trainer.training.validate import Point

log = logging.getLogger(__name__)

LOSS_EVERY = 10


class Logs:
    """Bar and TensorBoard of one training; without a folder no curves are kept."""

    def __init__(
        self, bar: Progress, settings: TrainSettings, state: TrainingState, folder: Path | None
    ):
        self._bar, self._steps = bar, settings.steps
        self._task = bar.add_task(
            "training", total=settings.steps, completed=state.step, loss=math.nan, rate=math.nan
        )
        self._writer = None
        if folder is not None:
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=state.step + 1)

    def step(self, state: TrainingState, losses: Losses) -> None:
        """Move the bar; the loss is read, and curves drawn, every tenth step."""
        read = state.step % LOSS_EVERY == 0 or state.step in (1, self._steps)
        self._bar.update(self._task, completed=state.step)
        if read:
            self._bar.update(self._task, loss=losses.total.item(), rate=rate(state))
        if read and self._writer:
            self._scalars(state, losses)
        if not self._bar.console.is_terminal and state.step % max(1, self._steps // 10) == 0:
            log.info("step %d of %d, loss %.4f", state.step, self._steps, losses.total.item())

    def validated(self, point: Point, best: bool) -> None:
        """One line for each validation, and its curves."""
        log.info(
            "validation at step %d: image AUROC %.4f, pixel AP %.4f%s",
            *(point.step, point.image_auroc, point.pixel_ap, " (best so far)" if best else ""),
        )
        if self._writer:
            self._scalar("validation/image_auroc", point.image_auroc, point.step)
            self._scalar("validation/pixel_ap", point.pixel_ap, point.step)
            self._writer.flush()

    def _scalars(self, state: TrainingState, losses: Losses) -> None:
        for name, value in losses._asdict().items():
            self._scalar(f"loss/{name}", value.item(), state.step)
        self._scalar("rate", rate(state), state.step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        if self._writer:
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def rate(state: TrainingState) -> float:
    """The learning rate of the next step."""
    return float(state.schedule.get_last_lr()[0])


@contextmanager
def logs(
    settings: TrainSettings, state: TrainingState, folder: Path | None, *, quiet: bool
) -> Iterator[Logs]:
    """Logs for the time of a training; `quiet` for the processes that do not lead."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f} rate {task.fields[rate]:.1e}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=quiet, console=console()) as bar:
        made = Logs(bar, settings, state, None if quiet else folder)
        try:
            yield made
        finally:
            made.close()
