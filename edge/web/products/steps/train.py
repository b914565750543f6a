"""Train: what is known of the part, a preview, the training, and its course."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.web.attributes import attributes
from edge.web.jobs.curve import Curve
from edge.web.jobs.job import State
from edge.web.jobs.progress import Progress
from edge.web.products.bench import FEWEST_PICTURES, RUNS
from edge.web.products.context import Context, heading
from edge.web.products.draft import Draft
from edge.web.products.versions import Version, expected_found, validations

RATE = 0.005  # of `draem calibrate`
ALL = "last"  # a job waits for the one before


async def train_step(context: Context) -> None:
    """The choices and buttons, then the newest jobs."""
    say, bench = context.viewer.texts.say, context.bench
    context.panel("train")
    form = _Form(context)
    with ui.element("section").classes("card"):
        heading(say("What the part may do"))
        ui.label(say("Leave out what cannot happen: less variation is learned faster.")).classes(
            "muted"
        )
        form.part()
        with ui.expansion(say("More options")):
            form.more()
    with ui.element("section").classes("card"):
        if bench.pictures < FEWEST_PICTURES:
            ui.label(say("Ten pictures are needed to train.")).classes("state-warning")
        _buttons(context, form)
    _preview(context)
    if bench.newest is not None:
        await _trained(context, bench.newest)


class _Form:
    """Fields of the draft."""

    def __init__(self, context: Context) -> None:
        self._context, self._say = context, context.viewer.texts.say
        self._draft = context.bench.draft

    def part(self) -> None:
        """What varies from part to part."""
        say, draft = self._say, self._draft
        with ui.element("div").classes("row-wrap"):
            self._rotation = ui.number(
                say("Rotation up to (degrees)"), value=draft.rotation, min=0, max=180
            )
            self._light = ui.number(
                say("Light varies by (percent)"), value=round(100 * draft.light), min=0, max=90
            )
            self._mirror = ui.checkbox(say("Its mirror image is as good"), value=draft.mirror)

    def more(self) -> None:
        """Length and network; empty fields are left to the command."""
        say, draft = self._say, self._draft
        with ui.element("div").classes("row-wrap"):
            kinds = {"features": say("features (default)"), "pixels": say("pixels (the paper's)")}
            self._network = ui.select(kinds, label=say("Network"), value=draft.network)
            sizes = ["tiny", "small", "standard", "paper"]
            self._size = ui.select(
                sizes, label=say("Size (pixels only)"), value=draft.size, clearable=True
            )
            self._input = ui.number(
                say("Input (pixels a side)"), value=draft.input, step=32, precision=0
            )
            self._tile = ui.number(
                say("Tiles (pixels a side), for large pictures"),
                value=draft.tile, step=32, precision=0,
            ).classes("label-field")  # fmt: skip
            self._minutes = ui.number(
                say("Minutes at most (default 10)"), value=draft.max_minutes, min=0
            ).classes("label-field")
            self._steps = ui.number(
                say("Steps, instead of minutes"), value=draft.steps, min=1, precision=0
            ).classes("label-field")
        query = self._context.query.get("query", "").removeprefix("archive:")
        self._also = ui.input(
            say("Also good parts of the archive"), value=query or draft.also
        ).classes("wide-field")
        self._also.props["hint"] = say("as label=false-reject since=30d, labelled in Review")

    async def keep(self) -> Draft:
        """The fields as a draft that is on the disk."""
        return await self._context.keep(
            rotation=float(self._rotation.value or 0),
            light=float(self._light.value or 0) / 100,
            mirror=bool(self._mirror.value),
            network=self._network.value,
            size=self._size.value or None,
            input=int(self._input.value) if self._input.value else None,
            tile=int(self._tile.value) if self._tile.value else None,
            max_minutes=float(self._minutes.value) if self._minutes.value else None,
            steps=int(self._steps.value) if self._steps.value else None,
            also=str(self._also.value or "").strip(),
        )


def _buttons(context: Context, form: _Form) -> None:
    say, commands = context.viewer.texts.say, context.commands
    good, drafts = context.pictures.good, context.drafts

    async def preview() -> None:
        await context.submit(commands.preview(good, await form.keep(), drafts))

    async def train(*, restart: bool = False, all_steps: bool = False) -> None:
        draft = await form.keep()
        specs = [commands.train(good, draft, drafts, restart=restart)]
        if all_steps:
            specs += [commands.build(after=ALL), commands.calibrate(RATE, after=ALL)]
        await context.submit(*specs)

    async def resume() -> None:
        after = [commands.build(after=ALL), commands.calibrate(RATE, after=ALL)]
        await context.submit(commands.resume(), *after)

    async def train_all() -> None:
        await train(all_steps=True)

    async def restart_all() -> None:
        await train(restart=True, all_steps=True)

    is_busy = context.bench.is_doing("train", "build", "calibrate")
    with ui.element("div").classes("row-wrap"):
        if context.bench.is_unfinished and not is_busy:
            ui.label(say("A training was interrupted.")).classes("state-warning")
            context.button(
                say("Go on, then build and calibrate"), resume, icon="play_arrow", main=True
            )
            context.button(say("Start again"), restart_all, icon="restart_alt")
            return
        main = context.button(
            say("Train, build and calibrate"), train_all, icon="play_arrow", main=True
        )
        only = context.button(say("Only train"), train)
        for button in (main, only):
            button.set_enabled(
                context.may_change and not is_busy and context.bench.pictures >= FEWEST_PICTURES
            )
        context.button(say("Preview"), preview, icon="preview")


def _preview(context: Context) -> None:
    say = context.viewer.texts.say
    job = context.panel("preview")
    if job is not None and job.state is State.DONE:
        with ui.element("section").classes("card"):
            heading(say("What the network will see"))
            text = say("Good pictures, the same with simulated anomalies, and their masks.")
            ui.label(text).classes("muted")
            with ui.element("div").classes("scrolled").props("tabindex=0"):
                image = ui.element("img").classes("preview")
                address = f"/products/{context.name}/preview?job={job.id}"
                attributes(image, src=address, alt=text)


async def _trained(context: Context, version: Version) -> None:
    """The course of the newest version's training."""
    texts, say = context.viewer.texts, context.viewer.texts.say
    points = await run_in_threadpool(validations, version)
    with ui.element("section").classes("card"):
        heading(say("The newest training: version {number}", number=version.number))
        share = expected_found(version)
        if share is not None:
            ui.label(
                say(
                    "expected to find {share} of simulated anomalies", share=texts.percent(share, 0)
                )
            )
        job = context.bench.last("train")
        is_shown = job is not None and job.state is State.DONE  # in the job's own panel
        if points and not is_shown:
            Curve(texts).draw(Progress(points=points))
        if (RUNS / context.name / "training.html").is_file():
            address = f"/products/{context.name}/training"
            ui.link(say("Report of the training"), address, new_tab=True).classes("action-link")
