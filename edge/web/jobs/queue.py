"""`Jobs`: starts jobs in their order, one heavy one at a time; interrupts and removes them."""

import fcntl
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread

from edge.base.closeable import Closeable
from edge.base.files import write_atomic
from edge.base.os_errors import how_to_fix
from edge.web.jobs.job import (
    CANCELLED,
    LOCK,
    SPEC,
    STARTED,
    Job,
    JobError,
    JobSpec,
    State,
    note,
    read_job,
)

log = logging.getLogger(__name__)

TURN_S, RETRY_S = 0.2, 10.0
KEPT = 200  # jobs that have ended


class Jobs(Closeable):
    """The jobs of a folder; usable from any thread. Closing it leaves running jobs alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ended: dict[str, Job] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock, self._closed = Lock(), Event()
        self._thread = Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, spec: JobSpec, prepare: Callable[[], None] = lambda: None) -> Job:
        """Put a job into the queue, unless the product has one of its kind there.

        `prepare` makes what the job needs, once it is known that the job can be taken. Raises
        JobError, and what `prepare` raises.
        """
        with self._lock:
            for job in self.of(spec.product):
                if job.is_open and job.spec.kind == spec.kind:
                    raise JobError(
                        f"'{job.command}' of {job.spec.who} is under way: wait for its end, or "
                        "interrupt it"
                    )
            prepare()
            return self._put(spec)

    def _put(self, spec: JobSpec) -> Job:
        job_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
        draft, folder = self._folder / f".{job_id}", self._folder / job_id
        try:
            draft.mkdir()
            write_atomic(draft / SPEC, spec.model_dump_json(indent=2).encode())
            (draft / LOCK).touch()
            draft.rename(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            fix = how_to_fix(error) or "correct it and try again"
            raise JobError(f"{self._folder}: {error.strerror}: {fix}") from error
        return read_job(folder)

    def all(self) -> list[Job]:
        """All jobs, oldest first; one that cannot be read is logged and left out."""
        names = sorted(p.name for p in self._folder.iterdir() if p.name[0].isdigit())
        return [job for job in map(self._find, names) if job is not None]

    def of(self, product: str) -> list[Job]:
        """Those of a product, oldest first."""
        return [job for job in self.all() if job.spec.product == product]

    def heavy_one(self) -> Job | None:
        """The heavy job that runs, for which others wait."""
        running = (job for job in self.all() if job.state is State.RUNNING)
        return next((job for job in running if job.spec.heavy), None)

    def find(self, job_id: str) -> Job:
        """One job. Raises JobError."""
        if "/" in job_id or not job_id[:1].isdigit() or not (self._folder / job_id).is_dir():
            raise JobError("there is no such job: reload the page")
        return read_job(self._folder / job_id)

    def interrupt(self, job_id: str, *, at_once: bool = False) -> None:
        """As Ctrl-C does, or with SIGKILL; one that waits leaves the queue. Raises JobError."""
        with self._lock:
            job = self.find(job_id)
            if job.state is State.QUEUED:
                (job.folder / CANCELLED).touch()
            elif job.state is State.RUNNING:
                if not job.session:
                    raise JobError("it is just starting: try again in a second")
                # As long as the job's lock is held its session lives, so this number is its own.
                with suppress(ProcessLookupError):
                    os.killpg(job.session, signal.SIGKILL if at_once else signal.SIGINT)

    def _find(self, name: str) -> Job | None:
        if name in self._ended:
            return self._ended[name]
        try:
            job = read_job(self._folder / name)
        except JobError as error:
            log.warning("%s", error)
            return None
        if not job.is_open:
            self._ended[name] = job
        return job

    def _work(self) -> None:
        """Start jobs, as long as no other page of this folder does."""
        with (self._folder / ".scheduler").open("a") as file:
            while not self._closed.wait(TURN_S):
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    try:
                        self._turn()
                    except OSError as error:
                        log.error("jobs cannot be started: %s", error)
                        self._closed.wait(RETRY_S)

    def _turn(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]
        with self._lock:
            jobs = self.all()
            is_busy = any(job.spec.heavy and job.state is State.RUNNING for job in jobs)
            for job in jobs:
                if job.state is not State.QUEUED or self._is_unneeded(job):
                    continue
                if self._waits(job) or (job.spec.heavy and is_busy):
                    continue
                self._start(job)
                is_busy = is_busy or job.spec.heavy
            for old in [job for job in jobs if not job.is_open][:-KEPT]:
                shutil.rmtree(old.folder, ignore_errors=True)
                self._ended.pop(old.id, None)

    def _before(self, job: Job) -> Job | None:
        return self._find(job.spec.after) if job.spec.after else None

    def _waits(self, job: Job) -> bool:
        before = self._before(job)
        return before is not None and before.is_open

    def _is_unneeded(self, job: Job) -> bool:
        """Take a job out of the queue whose job before was not done, or is not known."""
        if job.spec.after is None:
            return False
        before = self._before(job)
        if before is not None and (before.is_open or before.state is State.DONE):
            return False
        (job.folder / CANCELLED).touch()
        return True

    def _start(self, job: Job) -> None:
        """The lock is taken here and inherited, so that there is no moment without it."""
        descriptor = os.open(job.folder / LOCK, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note(job.folder / STARTED, session=0, at=time.time())
            words = [sys.executable, "-m", "edge.web.jobs.runner", str(job.folder)]
            child = subprocess.Popen(
                [*words, str(descriptor)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[descriptor],
            )
            self._children.append(child)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        for child in self._children:
            if child.poll() is None:
                child.returncode = 0  # it outlives this process on purpose, without a warning
