"""Pictures: upload them, collect them from a camera, take them from the archive or a folder."""

from pathlib import Path

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.base.errors import SettingsError
from edge.web.accounts.roles import Role
from edge.web.page import guarded
from edge.web.products.context import Context, heading
from edge.web.products.intake import Intake, Taken
from edge.web.products.uploader import PICTURES, FileField
from edge.web.products.uploads import end_series
from edge.web.shell import show_error

FRAMES, MOST_FRAMES = 200, 5000


async def pictures_step(context: Context) -> None:
    """The count, and four ways to get more."""
    say = context.viewer.texts.say
    with ui.element("section").classes("card"):
        count = ui.label().classes("big-number number")
        text = say("Ten are enough to begin, two hundred are better. Each must show a good part.")
        ui.label(text).classes("muted")
        _next_link(context)

    async def update() -> None:
        found = await run_in_threadpool(lambda: len(context.pictures.names()))
        count.text = context.viewer.texts.say_count("{count} picture", "{count} pictures", found)

    context.on_turn.append(update)
    await update()
    context.panel("collect")
    if not context.may_change:
        ui.label(say("An engineer can add pictures.")).classes("muted")
        return
    _upload(context)
    _camera(context)
    _archive(context)
    _folder(context)


def _next_link(context: Context) -> None:
    if context.bench.pictures:
        say = context.viewer.texts.say
        ui.link(say("Look through them"), f"/products/{context.name}?step=look").classes("next")


def _upload(context: Context) -> None:
    say = context.viewer.texts.say
    with ui.element("section").classes("card"):
        heading(say("Upload pictures"))
        address = f"/products/{context.name}/pictures"

        async def finished() -> None:
            await show_taken(context, results, end_series(context.viewer, context.name))

        label = say("Pictures, or a zip of pictures")
        FileField(context.viewer, label, address, f"{PICTURES},.zip", finished)
        results = ui.element("div").props("aria-live=polite")


async def show_taken(context: Context, place: ui.element, taken: Taken) -> None:
    """What came in, and what was refused and why; the steps may now be open."""
    await context.redraw_steps()
    texts, say = context.viewer.texts, context.viewer.texts.say
    place.clear()
    with place:
        ui.label(texts.say_count("{count} picture added", "{count} pictures added", taken.added))
        if taken.same:
            text = texts.say_count(
                "{count} was here already", "{count} were here already", taken.same
            )
            ui.label(text).classes("muted")
        if taken.refused:
            show_error(
                texts.say_count(
                    "{count} picture refused:", "{count} pictures refused:", taken.refused
                )
            )
            for reason in taken.reasons:
                ui.label(reason).classes("refusal")
        text = say("Look through them")
        ui.link(text, f"/products/{context.name}?step=look").classes("next")


def _at_most(wanted: float | None) -> int:
    """A number of pictures within the limits, which a browser may not have kept."""
    return int(min(max(1, wanted or FRAMES), MOST_FRAMES))


def _camera(context: Context) -> None:
    """A camera has one reader: the line, or the collection."""
    say = context.viewer.texts.say
    feeds = context.site.stations
    with ui.element("section").classes("card"):
        heading(say("From the camera of a station"))
        ui.label(
            say(
                "A camera has one reader at a time, so this works while the line does not run. "
                "Frames that a line could not judge, and parts seen before, are refused."
            )
        ).classes("muted")
        with ui.element("div").classes("row-wrap"):
            station = ui.select(sorted(feeds), label=say("Station"), value=min(feeds, default=None))
            frames = ui.number(say("How many"), value=FRAMES, min=1, max=MOST_FRAMES, precision=0)

            async def collect() -> None:
                feed = feeds[str(station.value)]
                if feed.state().word != "no connection":
                    raise SettingsError(
                        f"{feed.name} is running and has the camera: stop it first, or take what "
                        "the archive keeps of it"
                    )
                count = _at_most(frames.value)
                folder = context.pictures.good
                await context.submit(context.commands.collect(feed.addresses, count, folder))

            context.button(say("Collect"), collect, icon="videocam")


def _archive(context: Context) -> None:
    say = context.viewer.texts.say
    query = context.query.get("query", "").removeprefix("archive:")
    with ui.element("section").classes("card"):
        heading(say("From the archive"))
        ui.label(
            say(
                "Frames of a running line that a product found OK. A station keeps one good part "
                "in 100 unless its setting ok_one_in says otherwise."
            )
        ).classes("muted")
        with ui.element("div").classes("row-wrap"):
            words = ui.input(
                say("Question to the archive"), value=query or f"product={context.name} verdict=OK"
            ).classes("wide-field")
            most = ui.number(say("At most"), value=FRAMES, min=1, max=MOST_FRAMES, precision=0)

            async def take() -> None:
                asked, limit = str(words.value), _at_most(most.value)

                def work() -> Taken:
                    intake = Intake(context.pictures)
                    intake.take_archived(context.site.archive, asked, limit)
                    return intake.taken

                taken = await context.viewer.change(
                    Role.ENGINEER, "add pictures", context.name, work, new=f"archive: {asked}"
                )
                await show_taken(context, results, taken)

            context.button(say("Take"), take, icon="inventory_2")
        results = ui.element("div").props("aria-live=polite")


def _folder(context: Context) -> None:
    say = context.viewer.texts.say
    with ui.element("section").classes("card"):
        heading(say("From a folder on this machine"))
        ui.label(say("It must lie below the folder in which 'draem web' runs.")).classes("muted")
        with ui.element("div").classes("row-wrap"):
            path = ui.input(say("Folder"), placeholder="images/good").classes("wide-field")

            async def take() -> None:
                def work() -> Taken:
                    intake = Intake(context.pictures)
                    intake.take_folder(Path(str(path.value or "").strip()))
                    return intake.taken

                taken = await context.viewer.change(
                    Role.ENGINEER, "add pictures", context.name, work, new=f"folder {path.value}"
                )
                await show_taken(context, results, taken)

            path.on("keydown.enter", guarded(context.viewer, take))
            context.button(say("Take"), take, icon="folder")
        results = ui.element("div").props("aria-live=polite")
