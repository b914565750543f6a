"""Jobs: processes that outlive the page, one heavy one at a time, and what is known of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.web.jobs.job import Job, JobError, JobSpec, State
from edge.web.jobs.progress import ProgressReader, error_line, output_tail
from edge.web.jobs.queue import Jobs
from tests.support.waiting import wait_until
from tests.support.web_site import stop_jobs

SLOW = ("collect", "--source", "line://moulded?rate=4", "--frames", "9999", "--to", "good")
CREATED = "2026-11-30T12:00:00+00:00"
SUBMIT = """
import sys, os, time
from pathlib import Path
from edge.web.jobs.job import JobSpec, State
from edge.web.jobs.queue import Jobs
jobs = Jobs(Path("jobs"))
job = jobs.submit(JobSpec.model_validate_json(sys.argv[1]))
while not (jobs.find(job.id).session):
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""


def spec(*words: str, **changes: object) -> JobSpec:
    values: dict[str, object] = {"kind": words[0], "product": "lid", "who": "eve"}
    return JobSpec.model_validate(values | {"words": words, "created": CREATED} | changes)


def quick(name: str, **changes: object) -> JobSpec:
    """A command that succeeds at once."""
    return spec("release", "key", name, "--keys", "keys", kind=name, **changes)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """In a folder of its own, in which the commands run; nothing is left running."""
    monkeypatch.chdir(tmp_path)
    with Jobs(tmp_path / "jobs") as made:
        yield made
    stop_jobs(tmp_path / "jobs")


def reached(jobs: Jobs, job: Job, state: State) -> Callable[[], bool]:
    return lambda: jobs.find(job.id).state is state


def test_web_job_succeeds_or_fails_with_the_commands_error(jobs: Jobs) -> None:
    good = jobs.submit(quick("plant-1"))
    bad = jobs.submit(spec("release", "list", "--product", "no-such-thing", kind="list"))
    wait_until(reached(jobs, good, State.DONE), "the first is done")
    wait_until(reached(jobs, bad, State.FAILED), "the second has failed")
    assert "product 'no-such-thing' does not exist" in error_line(jobs.find(bad.id))
    assert any("plant-1.release.key" in line for line in output_tail(good))
    assert Path("keys/plant-1.release.key").is_file(), "it runs in the plant's folder"
    with pytest.raises(JobError, match="no such job"):
        jobs.find("../jobs")


def test_web_heavy_jobs_wait_for_each_other_and_light_ones_do_not(jobs: Jobs) -> None:
    first = jobs.submit(spec(*SLOW))
    wait_until(lambda: jobs.find(first.id).session, "the first runs")
    second, light = jobs.submit(quick("b")), jobs.submit(quick("c", heavy=False))
    unwanted = jobs.submit(quick("d", after=second.id))
    wait_until(reached(jobs, light, State.DONE), "the light one is done")
    assert jobs.find(second.id).state is State.QUEUED
    with pytest.raises(JobError, match=r"'draem collect .*' of eve is under way"):
        jobs.submit(spec(*SLOW))
    jobs.interrupt(second.id)
    assert jobs.find(second.id).state is State.CANCELLED
    wait_until(reached(jobs, unwanted, State.CANCELLED), "what was to follow is cancelled too")
    wait_until(lambda: ProgressReader(first.folder).read().done >= 1, "a frame is collected")
    assert ProgressReader(first.folder).read().total == 9999
    third = jobs.submit(quick("e"))
    jobs.interrupt(first.id)
    wait_until(reached(jobs, first, State.INTERRUPTED), "Ctrl-C has ended it")
    assert jobs.find(first.id).exit_code == 130
    wait_until(reached(jobs, third, State.DONE), "the next one had its turn")


def test_web_job_goes_on_when_the_page_is_killed_and_is_found_again(jobs: Jobs) -> None:
    jobs.close()
    text = spec(*SLOW).model_dump_json()
    killed = subprocess.run([sys.executable, "-c", SUBMIT, text], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with Jobs(Path("jobs")) as again:
        (job,) = again.all()
        assert job.state is State.RUNNING
        seen = ProgressReader(job.folder)
        wait_until(lambda: seen.read().done >= 1, "it works on")
        again.interrupt(job.id)
        wait_until(reached(again, job, State.INTERRUPTED), "the new page interrupts it")


def test_web_job_of_a_machine_that_was_killed_is_interrupted_not_running(jobs: Jobs) -> None:
    job = jobs.submit(spec(*SLOW))
    wait_until(lambda: (job.folder / "output.log").exists(), "it runs")
    session = jobs.find(job.id).session
    assert session
    os.killpg(session, signal.SIGKILL)
    wait_until(reached(jobs, job, State.INTERRUPTED), "it is seen to be dead")
    assert jobs.find(job.id).exit_code is None
    next_one = jobs.submit(quick("after"))
    wait_until(reached(jobs, next_one, State.DONE), "the queue goes on")


def test_web_job_after_one_that_is_not_known_is_cancelled(jobs: Jobs) -> None:
    job = jobs.submit(quick("plant-1", after="20200101-000000-000000-abcd"))
    wait_until(lambda: not jobs.find(job.id).is_open, "it leaves the queue")
    assert jobs.find(job.id).state is State.CANCELLED


def test_web_job_has_its_temporary_files_in_its_own_folder(jobs: Jobs) -> None:
    job = jobs.submit(spec(*SLOW))
    wait_until(lambda: ProgressReader(job.folder).read().done >= 1, "it works")
    session = jobs.find(job.id).session
    (command,) = Path(f"/proc/{session}/task/{session}/children").read_text().split()
    environment = Path(f"/proc/{command}/environ").read_bytes().split(b"\0")
    temporary = job.folder.resolve() / "temporary"
    assert f"TMPDIR={temporary}".encode() in environment
    assert temporary.is_dir()
    jobs.interrupt(job.id)
    wait_until(reached(jobs, job, State.INTERRUPTED), "it has ended")
    assert not temporary.exists(), "nothing is left of them"
