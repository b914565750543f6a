"""An unfinished training on disk: whole at any moment, one process at a time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edge.base import files
from edge.base.errors import DraemError
from edge.base.files import write_atomic
from trainer.training.train_settings import TrainSettings

NAME = "checkpoint.pt"


class TrainingError(DraemError):
    """Training cannot go on."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; raises TrainingError while another one trains there."""
    refusal = TrainingError(
        f"another training is at work in {folder}: wait for it, or choose another --product or "
        "--runs"
    )
    with files.exclusive_lock(folder / ".lock", refusal):
        for torn in folder.glob(f".{NAME}.*"):
            torn.unlink()  # of a process that was killed while it wrote
        yield


@dataclass(frozen=True)
class Unfinished:
    """A training that waits: its configuration, the images' digest, its processes, its state."""

    settings: TrainSettings
    images: str
    processes: int
    state: dict[str, Any]


def save(
    folder: Path, settings: TrainSettings, images: str, processes: int, state: dict[str, Any]
) -> None:
    """The state with all that is needed to go on, by rename."""
    # By way of memory: torch hides a full disk behind an error of its own.
    buffer = io.BytesIO()
    whole = {
        "settings": settings.model_dump_json(),
        "images": images,
        "processes": processes,
        "state": state,
    }
    torch.save(whole, buffer)
    write_atomic(folder / NAME, buffer.getvalue())


def exists(folder: Path) -> bool:
    """Whether a training waits here to go on."""
    return (folder / NAME).is_file()


def load(folder: Path) -> Unfinished:
    """What waits here. Raises TrainingError where nothing does, or it cannot be read."""
    path = folder / NAME
    if not path.is_file():
        raise TrainingError(f"there is no unfinished training in {folder}: leave out --resume")
    try:
        whole = torch.load(path, weights_only=True, map_location="cpu")
        settings = TrainSettings.model_validate_json(whole["settings"])
        return Unfinished(settings, whole["images"], whole["processes"], whole["state"])
    except Exception as error:  # torch.load names its errors as it likes
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}): start again with --restart"
        ) from error


def discard(folder: Path) -> None:
    """Forget the unfinished training."""
    (folder / NAME).unlink(missing_ok=True)
