"""What a training shows while it runs: a progress bar, log lines, TensorBoard's curves."""

import logging
from pathlib import Path
from typing import Self

from rich.progress import MofNCompleteColumn, Progress
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from edge.base.console import console
from edge.base.progress_file import tell_fact, tell_progress
from edge.base.text import printable
from trainer.training.distributed import ProcessGroup
from trainer.training.state import TrainingState
from trainer.training.validate import Point, best_of

log = logging.getLogger(__name__)

LOG_EVERY = 10


class TrainingProgress:
    """Bar and curves of one training, a context manager. Only rank 0 shows and writes anything.

    Curves are written where there is a `folder`. `limit_s` is how long the training may take.
    """

    def __init__(
        self,
        state: TrainingState,
        group: ProcessGroup,
        folder: Path | None,
        limit_s: float | None = None,
    ) -> None:
        self._limit_s = limit_s
        columns = (*Progress.get_default_columns(), MofNCompleteColumn())
        self._bar = Progress(*columns, disable=not group.is_main, console=console())
        self._task = self._bar.add_task("training", total=state.steps, completed=state.step)
        self._writer = None
        if folder and printable(folder) != str(folder):
            log.warning("no curves: TensorBoard cannot write to %s, which is not UTF-8", folder)
        elif folder and group.is_main:
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=state.step + 1)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if self._writer:
            self._writer.close()

    def step(self, state: TrainingState, losses: dict[str, Tensor]) -> None:
        """Advance the bar; the losses are read, and curves written, every tenth step."""
        self._bar.update(self._task, completed=state.step, total=state.steps)
        is_logged = not self._bar.console.is_terminal and (
            state.step % max(1, state.steps // 10) == 0
        )
        is_curve = state.step % LOG_EVERY == 0 or state.step in (1, state.steps)
        if not (is_logged or is_curve):
            return
        figures = {f"loss/{name}": value.item() for name, value in losses.items()}
        loss = sum(figures.values())
        if is_logged:
            log.info("step %d of %d, loss %.4f", state.step, state.steps, loss)
        if is_curve:
            self._bar.update(self._task, description=f"training, loss {loss:.4f}")
            left_s = self._left_s(state)
            tell_progress("training", state.step, state.steps, loss=loss, left_s=left_s)
            rate = float(state.schedule.get_last_lr()[0])  # of the next step
            self._write(figures | {"rate": rate}, state.step)

    def validated(self, curve: list[Point]) -> None:
        """Log the last validation and add it to TensorBoard's curves."""
        point = curve[-1]
        is_best = point is best_of(curve)
        log.info(
            "validation at step %d: image AUROC %.4f, pixel AP %.4f%s",
            *(point.step, point.image_auroc, point.pixel_ap, " (best so far)" if is_best else ""),
        )
        figures = {"image_auroc": point.image_auroc, "pixel_ap": point.pixel_ap}
        tell_fact("validation", step=point.step, **figures)
        self._write({f"validation/{name}": value for name, value in figures.items()}, point.step)

    def _left_s(self, state: TrainingState) -> float:
        """Seconds to the end: by the steps so far, and at most what the limit leaves."""
        left = state.seconds / max(1, state.step) * (state.steps - state.step)
        return left if self._limit_s is None else max(0.0, min(left, self._limit_s - state.seconds))

    def _write(self, figures: dict[str, float], step: int) -> None:
        if self._writer:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
