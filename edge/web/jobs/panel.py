"""A job in a page: its state, its progress, its output, and the button that interrupts it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.web.accounts.roles import Role
from edge.web.attributes import attributes
from edge.web.jobs.curve import Curve
from edge.web.jobs.job import Job, JobError, State
from edge.web.jobs.progress import Progress, ProgressReader, error_line, output_tail
from edge.web.jobs.queue import Jobs
from edge.web.page import guarded
from edge.web.texts import Texts, mark
from edge.web.viewer import Viewer

KINDS = {
    "collect": mark("Collect pictures"),
    "preview": mark("Preview of simulated anomalies"),
    "train": mark("Training"),
    "build": mark("Building the engine"),
    "calibrate": mark("Calibration"),
    "inspect": mark("Trying pictures"),
    "seal": mark("Sealing a version"),
    "activate": mark("Activating a version"),
    "rollback": mark("Rolling back"),
    "export": mark("Exporting a version"),
    "import": mark("Importing a release"),
    "switch": mark("Starting on a station"),
}
STATES: dict[State, tuple[str, str, str]] = {
    State.QUEUED: (mark("waits for its turn"), "schedule", "muted"),
    State.RUNNING: (mark("running"), "autorenew", "state-good"),
    State.DONE: (mark("done"), "check_circle", "state-good"),
    State.FAILED: (mark("failed"), "error", "state-bad"),
    State.INTERRUPTED: (mark("interrupted"), "pause_circle", "state-warning"),
    State.CANCELLED: (mark("cancelled"), "block", "muted"),
}
SHOWN_LINES = 40


@dataclass(frozen=True)
class Shown:
    """What a panel draws, read outside of the event loop."""

    job: Job
    progress: Progress
    error: str
    output: list[str]
    waits_for: Job | None = None


class JobPanel:
    """One job; `update` reads it again and draws it."""

    def __init__(self, viewer: Viewer, jobs: Jobs, job: Job) -> None:
        self._viewer, self._jobs, self._id = viewer, jobs, job.id
        self._reader = ProgressReader(job.folder)
        self._tried_to_stop = False
        say = viewer.texts.say
        with attributes(ui.element("section").classes("card job"), data_job=job.spec.kind):
            with ui.element("div").classes("row-wrap"):
                self._icon = ui.icon("").props("aria-hidden=true")
                ui.label(say(KINDS[job.spec.kind])).classes("job-kind")
                self._state = ui.label().classes("job-state")
                self._who = ui.label().classes("muted")
                ui.space()
                self._stop = ui.button(say("Interrupt"), icon="stop").props("outline")
                self._stop.on_click(guarded(viewer, self._interrupt))
                self._stop.visible = False
            self._bar = ui.linear_progress(0, show_value=False, size="12px")
            attributes(self._bar, aria_label=say("Progress"))
            self._text = ui.label().classes("number")
            self._error = ui.label().classes("site-error").props("role=alert")
            self._curve = Curve(viewer.texts) if job.spec.kind == "train" else None
            with ui.expansion(say("Output of the command")).classes("job-output"):
                self._command = ui.label().classes("job-command")
                self._output = ui.element("pre").props("tabindex=0")
                with self._output:
                    self._lines = ui.label()

    async def update(self) -> Job:
        """Read and draw; the job as it is now. Raises JobError."""
        shown: Shown = await run_in_threadpool(self._read)
        self._draw(shown)
        return shown.job

    def _read(self) -> Shown:
        job = self._jobs.find(self._id)
        error = error_line(job) if job.state is State.FAILED else ""
        waits_for = self._jobs.heavy_one() if job.state is State.QUEUED else None
        output = output_tail(job)[-SHOWN_LINES:]
        return Shown(job, self._reader.read(), error, output, waits_for)

    def _draw(self, shown: Shown) -> None:
        say, job = self._viewer.texts.say, shown.job
        word, icon, style = STATES[job.state]
        self._icon.set_name(icon)
        self._icon.classes(replace=style)
        self._state.text = say(word)
        self._state.classes(replace=f"job-state {style}")
        at = self._viewer.texts.moment(_time_of(job), seconds=False)
        self._who.text = f"{job.spec.who}, {at}"
        self._stop.visible = job.is_open and self._viewer.may(Role.ENGINEER)
        if job.state is State.QUEUED:
            self._stop.text = say("Cancel")
        else:
            self._stop.text = say("End at once") if self._tried_to_stop else say("Interrupt")
        self._bar.visible = job.state is State.RUNNING
        self._bar.value = shown.progress.share
        self._text.visible = job.is_open
        self._text.text = self._how_far(shown)
        self._error.visible = job.state is State.FAILED
        self._error.text = shown.error or say("It failed: its output has the reason.")
        self._command.text = job.command
        self._lines.text = "\n".join(shown.output)
        if self._curve:
            self._curve.draw(shown.progress)

    def _how_far(self, shown: Shown) -> str:
        say, before = self._viewer.texts.say, shown.waits_for
        if before is not None:
            kind = say(KINDS[before.spec.kind])
            return say("after: {kind} ({product})", kind=kind, product=before.spec.product)
        return progress_text(self._viewer.texts, shown.progress)

    async def _interrupt(self) -> None:
        job = self._jobs.find(self._id)
        if not job.is_open:
            raise JobError("it has ended already")
        target, now = f"{job.spec.product} {job.spec.kind} {job.id}", self._tried_to_stop
        await self._viewer.change(
            Role.ENGINEER,
            "interrupt job",
            target,
            lambda: self._jobs.interrupt(job.id, at_once=now),
        )
        self._tried_to_stop = job.state is State.RUNNING


def progress_text(texts: Texts, progress: Progress) -> str:
    """How far it is, and how long it will take."""
    parts = []
    if progress.total > 1:
        values = {"done": texts.number(progress.done), "total": texts.number(progress.total)}
        parts.append(texts.say("{done} of {total}", **values))
    elif progress.total:
        parts.append(texts.percent(progress.share, 0))
    if progress.left_s is not None:
        minutes = round(progress.left_s / 60)
        some = texts.say_count("about {count} minute left", "about {count} minutes left", minutes)
        parts.append(some if minutes else texts.say("less than a minute left"))
    for reason, count in sorted(progress.refused.items()):
        text = texts.say("refused: {count} ({reason})", count=count, reason=reason)
        parts.append(text)
    return " - ".join(parts)


def _time_of(job: Job) -> datetime:
    """When it began, or was asked for."""
    if job.started is not None:
        return datetime.fromtimestamp(job.started, UTC)
    return datetime.fromisoformat(job.spec.created)
