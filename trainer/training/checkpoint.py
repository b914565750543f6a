"""The checkpoint of an unfinished training: always complete on disk, one process at a time."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edge.base import files
from edge.base.errors import DraemError
from trainer.training.settings import TrainSettings

NAME = "checkpoint.pt"
WITHOUT = {"memory": 0}
"""What a training has that began before there was such a setting."""


class TrainingError(DraemError):
    """Training cannot continue."""


@dataclass(frozen=True)
class Checkpoint:
    """Settings, digest of the images, number of processes and `TrainingState.saved()`."""

    settings: TrainSettings
    images: str
    processes: int
    state: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Replace the checkpoint in `folder` by rename."""
        settings = json.dumps(self.settings.model_dump(mode="json"))  # any path, not UTF-8 alone
        save_tensors(vars(self) | {"settings": settings}, folder / NAME)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process. Raises TrainingError while another one trains there."""
    refusal = TrainingError(
        f"another training runs in {folder}: wait for it, or choose another --product or --runs"
    )
    with files.exclusive_lock(folder / ".lock", refusal):
        for partial in folder.glob(f".{NAME}.*"):
            partial.unlink()  # left by a process that was killed while it wrote
        yield


def save_tensors(value: object, path: Path) -> None:
    """torch.save by rename, in a folder that is created where it is missing."""
    # Through memory: torch reports a full disk as an error of its own.
    buffer = io.BytesIO()
    torch.save(value, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(path, buffer.getvalue())


def exists(folder: Path) -> bool:
    """Whether `folder` holds an unfinished training."""
    return (folder / NAME).is_file()


def load(folder: Path) -> Checkpoint:
    """Read the checkpoint. Raises TrainingError where there is none or it cannot be read."""
    path = folder / NAME
    if not path.is_file():
        raise TrainingError(f"there is no unfinished training in {folder}: leave out --resume")
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        settings = TrainSettings.model_validate(WITHOUT | json.loads(saved["settings"]))
        return Checkpoint(**saved | {"settings": settings})
    except Exception as error:  # torch.load raises many kinds
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}): start again with --restart"
        ) from error


def discard(folder: Path) -> None:
    """Delete the checkpoint."""
    (folder / NAME).unlink(missing_ok=True)
