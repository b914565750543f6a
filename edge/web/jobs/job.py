"""A job and its state, as the files of its folder say.

job.json        what is to be done; written first, never changed
lock            locked by the job's processes as long as one of them lives
started.json    once it has begun: the process, and when
exit.json       at its end: the command's exit code
cancelled       instead of all these, if it was taken out of the queue
"""

import fcntl
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from edge.base.errors import DraemError
from edge.base.passwords import without_password
from edge.base.validation import read_json

SPEC, LOCK, STARTED, EXIT, CANCELLED = "job.json", "lock", "started.json", "exit.json", "cancelled"
OUTPUT, PROGRESS = "output.log", "progress.jsonl"
INTERRUPTED_CODE = 130
"""The exit code of a `draem` command that Ctrl-C has ended."""


Model = TypeVar("Model", bound=BaseModel)


class JobError(DraemError):
    """A job cannot be made, started or found."""


class State(StrEnum):
    """What a job does."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class JobSpec(BaseModel):
    """What is to be done: the words after `draem`, for whom, and what has to be done `after`.

    Heavy jobs wait for each other. `station_file` is the file of the settings that it reads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    product: str
    words: tuple[str, ...]
    who: str
    created: str
    heavy: bool = True
    after: str | None = None
    station_file: str | None = None


class _Started(BaseModel):
    session: int
    at: float


class _Ended(BaseModel):
    code: int
    at: float


@dataclass(frozen=True)
class Job:
    """A job as its folder shows it at one moment."""

    folder: Path
    spec: JobSpec
    state: State
    started: float | None = None  # seconds since 1970
    ended: float | None = None
    session: int | None = None
    exit_code: int | None = None

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def is_open(self) -> bool:
        """Whether it runs or will."""
        return self.state in (State.QUEUED, State.RUNNING)

    @property
    def command(self) -> str:
        """As it would be typed, without passwords."""
        return without_password(" ".join(["draem", *self.spec.words]))


def read_job(folder: Path) -> Job:
    """The job of a folder. Raises JobError."""
    try:
        spec = read_json(folder / SPEC, JobSpec)
        started = _read(folder / STARTED, _Started)
        is_locked = started is not None and is_alive(folder)
        ended = _read(folder / EXIT, _Ended)  # after the lock: it may have ended in between
    except (OSError, ValueError) as error:
        raise JobError(f"the job in {folder} cannot be read ({error}): remove it") from error
    return Job(
        folder,
        spec,
        _state(folder, started, ended, is_locked),
        started.at if started else None,
        ended.at if ended else None,
        started.session if started else None,
        ended.code if ended else None,
    )


def _state(folder: Path, started: _Started | None, ended: _Ended | None, is_locked: bool) -> State:
    if started is None:
        return State.CANCELLED if (folder / CANCELLED).exists() else State.QUEUED
    if ended is not None:
        codes = {0: State.DONE, INTERRUPTED_CODE: State.INTERRUPTED}
        return codes.get(ended.code, State.FAILED)
    # Without an exit code and without a process: the machine, or the process, was killed.
    return State.RUNNING if is_locked else State.INTERRUPTED


def is_alive(folder: Path) -> bool:
    """Whether a process of the job lives: they all share one lock, which ends with the last."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def note(path: Path, **values: float) -> None:
    """One of the files above, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(values))
    temporary.replace(path)


def _read(path: Path, model: type[Model]) -> Model | None:
    try:
        return read_json(path, model)
    except FileNotFoundError:
        return None
