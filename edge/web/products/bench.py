"""`Bench`: all that is known of a product at one moment, and what can be done next."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.events.event import RecordedChange
from edge.product.activation_log import activations
from edge.product.change_journal import recorded_changes
from edge.product.product import check_name
from edge.web.jobs.job import Job, State
from edge.web.jobs.queue import Jobs
from edge.web.products.draft import Draft, DraftFolder
from edge.web.products.picture_folder import picture_folder
from edge.web.products.versions import Version, read_versions
from edge.web.site import Site
from edge.web.texts import mark

FEWEST_PICTURES = 10  # below it `draem train` refuses
RUNS = Path("runs")
RELEASING = ("seal", "activate", "rollback", "export", "switch")  # kinds of jobs

StepKind = Literal["done", "now", "optional", "needs", "running"]


@dataclass(frozen=True)
class Bench:
    """A product's pictures, choices, versions and jobs."""

    name: str
    pictures: int
    removed: int
    draft: Draft
    versions: list[Version]  # newest first
    changes: list[RecordedChange]
    was_activated: bool  # so that there may be something to go back to
    jobs: list[Job]  # oldest first
    is_unfinished: bool  # an interrupted training can be resumed

    @property
    def newest(self) -> Version | None:
        return self.versions[0] if self.versions else None

    @property
    def current(self) -> Version | None:
        return next((one for one in self.versions if one.is_current), None)

    @property
    def calibrated(self) -> Version | None:
        """The newest version with a threshold."""
        return next((one for one in self.versions if one.calibration), None)

    def last(self, *kinds: str) -> Job | None:
        """The newest job of these kinds."""
        return next((job for job in reversed(self.jobs) if job.spec.kind in kinds), None)

    def is_doing(self, *kinds: str) -> bool:
        """Whether a job of these kinds runs or waits."""
        return any(job.is_open and job.spec.kind in kinds for job in self.jobs)

    def waiting(self, *kinds: str) -> str:
        """What to say instead of running where jobs of these kinds only wait."""
        is_running = any(j.state is State.RUNNING and j.spec.kind in kinds for j in self.jobs)
        return "" if is_running else mark("waits for its turn")


def read_bench(site: Site, name: str) -> Bench:
    """Read everything from the disk; not for the event loop. Raises DraemError."""
    check_name(name)
    folder = picture_folder(site.settings.images, name)
    return Bench(
        name=name,
        pictures=len(folder.names()),
        removed=len(folder.names(removed=True)),
        draft=DraftFolder(site.settings.folder, name).read(),
        versions=read_versions(site.settings.products, name),
        changes=recorded_changes(site.settings.products / name),
        was_activated=bool(activations(site.settings.products / name)),
        jobs=site.jobs.of(name),
        is_unfinished=(RUNS / name / "checkpoint.pt").is_file(),
    )


def signature(jobs: Jobs, name: str) -> tuple[tuple[str, State], ...]:
    """Changes when a job of the product begins or ends."""
    return tuple((job.id, job.state) for job in jobs.of(name))


@dataclass(frozen=True)
class Step:
    """A step of the way to a running line; `judge` says what can be done and what is missing."""

    key: str
    title: str
    judge: Callable[[Bench], tuple[StepKind, str]]


def _pictures(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing("collect"):
        return "running", bench.waiting("collect")
    return ("done" if bench.pictures >= FEWEST_PICTURES else "now"), ""


def _look(bench: Bench) -> tuple[StepKind, str]:
    if not bench.pictures:
        return "needs", mark("needs pictures")
    return ("done" if bench.draft.looked_through >= bench.pictures else "now"), ""


def _view(bench: Bench) -> tuple[StepKind, str]:
    if not bench.pictures:
        return "needs", mark("needs pictures")
    return ("done" if bench.draft.viewed else "optional"), ""


def _train(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing("train", "preview"):
        return "running", bench.waiting("train", "preview")
    if bench.newest:
        return "done", ""
    if bench.pictures < FEWEST_PICTURES:
        return "needs", mark("needs ten pictures")
    return "now", ""


def _build(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing("build"):
        return "running", bench.waiting("build")
    if bench.newest is None:
        return "needs", mark("needs a trained version")
    return ("done" if bench.newest.is_built else "now"), ""


def _threshold(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing("calibrate"):
        return "running", bench.waiting("calibrate")
    if bench.newest is None or not bench.newest.is_built:
        return "needs", mark("needs an engine")
    return ("done" if bench.newest.calibration else "now"), ""


def _try(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing("inspect"):
        return "running", bench.waiting("inspect")
    if bench.calibrated is None:
        return "needs", mark("needs a threshold")
    job = bench.last("inspect")
    return ("done" if job and job.state is State.DONE else "optional"), ""


def _release(bench: Bench) -> tuple[StepKind, str]:
    if bench.is_doing(*RELEASING):
        return "running", bench.waiting(*RELEASING)
    if bench.calibrated is None:
        return "needs", mark("needs a threshold")
    # A newer threshold that no line takes yet is not the end of the way.
    is_released = bench.current is bench.calibrated and bench.calibrated.seal is not None
    return ("done" if is_released else "now"), ""


STEPS = (
    Step("pictures", mark("Pictures"), _pictures),
    Step("look", mark("Look through"), _look),
    Step("view", mark("Crop and regions"), _view),
    Step("train", mark("Train"), _train),
    Step("build", mark("Engine"), _build),
    Step("threshold", mark("Threshold"), _threshold),
    Step("try", mark("Try"), _try),
    Step("release", mark("Release and start"), _release),
)


def next_step(bench: Bench) -> str:
    """The step to show first: one that runs, or the first that can be done now."""
    kinds = {step.key: step.judge(bench)[0] for step in STEPS}
    for wanted in ("running", "now"):
        for key, kind in kinds.items():
            if kind == wanted:
                return key
    return STEPS[-1].key
