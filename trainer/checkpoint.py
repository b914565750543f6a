"""An unfinished training on disk: whole at any moment, one process at a time."""

import fcntl
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from edge.errors import DraemError
from edge.files import write_whole
from trainer.settings import TrainSettings

NAME = "checkpoint.pt"


class TrainingError(DraemError):
    """Training cannot go on."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; raises TrainingError while another one trains there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"another training is at work in {folder}: wait for it, or choose another "
                "--product or --runs"
            ) from None
        yield


def save(folder: Path, settings: TrainSettings, images: str, state: dict[str, Any]) -> None:
    """The state with the whole configuration and the digest of the images, by rename."""
    # By way of memory: torch hides a full disk behind an error of its own.
    buffer = io.BytesIO()
    whole = {"settings": settings.model_dump_json(), "images": images, "state": state}
    torch.save(whole, buffer)
    write_whole(folder / NAME, buffer.getvalue())


def exists(folder: Path) -> bool:
    """Whether a training waits here to go on."""
    return (folder / NAME).is_file()


def load(folder: Path) -> tuple[TrainSettings, str, dict[str, Any]]:
    """Settings, digest of the images, state. Raises TrainingError where they cannot be had."""
    path = folder / NAME
    if not path.is_file():
        raise TrainingError(f"there is no unfinished training in {folder}: leave out --resume")
    try:
        whole = torch.load(path, weights_only=True, map_location="cpu")
        return (
            TrainSettings.model_validate_json(whole["settings"]),
            str(whole["images"]),
            whole["state"],
        )
    except Exception as error:  # torch.load names its errors as it likes
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}): start again with --restart"
        ) from error


def discard(folder: Path) -> None:
    """Forget the unfinished training."""
    (folder / NAME).unlink(missing_ok=True)
