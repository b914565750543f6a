"""Release and start: seal, activate, roll back, export, and start a version on a station."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from edge.base.errors import SettingsError
from edge.web.dialogs import confirm
from edge.web.jobs.job import State
from edge.web.page import guarded
from edge.web.products.bench import RELEASING
from edge.web.products.context import Context, heading
from edge.web.products.files import export_folder
from edge.web.products.running import NO_CONNECTION, RunningStations
from edge.web.products.steps.threshold import when
from edge.web.products.steps.versions import version_cards
from edge.web.products.versions import Version

SHOWN = 31  # of the changes


async def release_step(context: Context) -> None:
    """What runs, the next thing to do, all versions, and their history."""
    context.panel(*RELEASING)
    _download(context)
    _release(context)
    _start(context)
    version_cards(context, export=lambda number: _export(context, number))
    _history(context)


def _download(context: Context) -> None:
    say, job = context.viewer.texts.say, context.bench.last(*RELEASING)
    if job is not None and job.spec.kind == "export" and job.state is State.DONE:
        address = f"/products/{context.name}/exports/{job.id}"
        ui.link(say("Download the release"), address).classes("next")


def _release(context: Context) -> None:
    say, bench, commands = context.viewer.texts.say, context.bench, context.commands
    version = bench.calibrated
    with ui.element("section").classes("card"):
        heading(say("Release"))
        ui.label(
            say(
                "A sealed version cannot be changed any more; the active one is what a line runs "
                "from its next start on."
            )
        ).classes("muted")
        if version is None:
            ui.label(say("First calibrate a version.")).classes("state-warning")
            return

        async def seal_and_activate() -> None:
            number = version.number
            seal = commands.release("seal", number)
            activate = commands.release("activate", number)
            await context.submit(seal, activate.model_copy(update={"after": "last"}))

        async def roll_back() -> None:
            await context.submit(commands.release("rollback"))

        with ui.element("div").classes("row-wrap"):
            text = say("Seal and activate version {number}", number=version.number)
            is_done = version.seal is not None and version.is_current
            ask = confirmed(
                context, f"{text}?", seal_and_activate, say("Seal and activate"),
                _what_follows(context, version),
            )  # fmt: skip
            button = context.button(text, ask, icon="verified", main=not is_done)
            button.set_enabled(context.may_change and not is_done and version.is_built)
            ask = confirmed(context, say("Roll back?"), roll_back, say("Roll back"))
            button = context.button(say("Roll back"), ask, icon="undo")
            button.set_enabled(context.may_change and bench.was_activated)


def _what_follows(context: Context, version: Version) -> list[str]:
    """What sealing and activating a version changes, and what it does not."""
    say, current = context.viewer.texts.say, context.bench.current
    lines = []
    if version.seal is None:
        lines.append(say("No file of it, threshold included, can be changed afterwards."))
    if current is None or current.number == version.number:
        lines.append(say("It becomes the current version: lines take it at their next start."))
    else:
        lines.append(
            say(
                "It becomes the current version instead of version {number}: lines take it at "
                "their next start.",
                number=current.number,
            )
        )
    lines += _other_threshold(context, version)
    lines.append(say("Lines that run go on with theirs until they are changed below."))
    return [*lines, say("'Roll back' undoes the activation, but not the seal.")]


def _other_threshold(context: Context, version: Version) -> list[str]:
    texts, current = context.viewer.texts, context.bench.current
    old, new = current.calibration if current else None, version.calibration
    if old is None or new is None or old.threshold == new.threshold:
        return []
    values = {"old": texts.number(old.threshold, 4), "new": texts.number(new.threshold, 4)}
    return [texts.say("The threshold changes from {old} to {new}.", **values)]


def _start(context: Context) -> None:
    say, bench = context.viewer.texts.say, context.bench
    feeds = context.site.stations
    versions = [one.number for one in bench.versions if one.calibration and one.is_built]
    with ui.element("section").classes("card"):
        heading(say("Start on a station"))
        context.on_turn.append(
            RunningStations(context.site, context.viewer, context.name, stopped=True).update
        )
        if not versions:
            ui.label(say("First build and calibrate a version.")).classes("state-warning")
            return
        start = bench.current.number if bench.current else versions[0]
        with ui.element("div").classes("row-wrap"):
            # A job that ends draws this again: what is written here must not be lost with it.
            context.kept.setdefault("station", min(feeds, default=None))
            context.kept.setdefault("reason", "")
            station_field = ui.select(
                sorted(feeds), label=say("Station"), value=context.kept["station"]
            ).bind_value_to(context.kept, "station")
            version_field = ui.select(
                versions, label=say("Version"), value=start if start in versions else versions[0]
            )
            reason = ui.input(say("Reason"), value=context.kept["reason"]).props("maxlength=300")
            reason.bind_value_to(context.kept, "reason")

            async def switch() -> None:
                why = str(reason.value or "").strip()
                if not why:
                    raise SettingsError("a change has a reason: write it, then start")
                feed = feeds[str(station_field.value)]
                if feed.state().word == NO_CONNECTION:
                    raise SettingsError(
                        f"{feed.name} does not run: start it with 'draem run', which takes the "
                        "product of its settings"
                    )
                spec = context.commands.switch(feed.addresses, str(version_field.value), why)
                context.kept["reason"] = ""
                await context.submit(spec, reason=why)

            question = say("Change what this station judges? It goes on between two parts.")
            start_button = context.button(
                say("Start"), confirmed(context, question, switch, say("Start")), icon="play_arrow"
            )
            start_button.bind_enabled_from(
                reason, "value", lambda why: context.may_change and bool((why or "").strip())
            )


async def _export(context: Context, number: str) -> None:
    folder = export_folder(context.site, context.name)

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.draem"):
            old.unlink()

    spec = context.commands.release("export", number, "--to", str(folder))
    await context.submit(spec, prepare=prepare)


def confirmed(
    context: Context,
    question: str,
    do: Callable[[], Awaitable[object]],
    name: str,
    about: Sequence[str] = (),
) -> Callable[[], Awaitable[None]]:
    """A handler that asks first; `name` is what the button says that does it."""

    async def ask() -> None:
        if await confirm(context.viewer, question, name, about):
            await guarded(context.viewer, do)()

    return ask


def _history(context: Context) -> None:
    """Who changed what in the product's folder, newest first."""
    texts, changes = context.viewer.texts, context.bench.changes
    if not changes:
        return
    with ui.element("section").classes("card"):
        heading(texts.say("Changes of this product"))
        for one in changes[:-SHOWN:-1]:
            what = (
                f"{one.action}: {one.old} -> {one.new}" if one.old else f"{one.action}: {one.new}"
            )
            ui.label(f"{when(texts, one.at)}, {one.who}: {what}").classes("number")
            if one.reason:
                ui.label(one.reason).classes("muted")
