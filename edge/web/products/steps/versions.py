"""All versions of a product as cards: what they are, and what can be done with each."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.web.products.context import Context, heading
from edge.web.products.steps.threshold import fact, when
from edge.web.products.versions import Version, expected_found
from edge.web.shell import show_error


def version_cards(context: Context, export: Callable[[str], Awaitable[None]]) -> None:
    """Newest first."""
    say = context.viewer.texts.say
    heading(say("Versions"))
    with ui.element("div").classes("cards"):
        for version in context.bench.versions:
            with ui.element("section").classes("card"):
                _card(context, version, export)


def _card(context: Context, version: Version, export: Callable[[str], Awaitable[None]]) -> None:
    say = context.viewer.texts.say
    with ui.element("div").classes("row-wrap"):
        heading(say("Version {number}", number=version.number))
        if version.is_current:
            with ui.element("div").classes("current state-good"):
                ui.icon("star").props("aria-hidden=true")
                ui.label(say("current"))
    if version.trouble:
        show_error(version.trouble)
        return
    _facts(context, version)
    if context.may_change:
        _actions(context, version, export)


def _facts(context: Context, version: Version) -> None:
    texts, say = context.viewer.texts, context.viewer.texts.say
    manifest, seal, made = version.manifest, version.seal, version.calibration
    if manifest is None:
        return
    with ui.element("dl").classes("facts"):
        fact(say("made"), when(texts, manifest.created))
        size, tile = f"{manifest.width}x{manifest.height}", manifest.tile
        if tile is not None:
            size = say("{size} in tiles of {tile}", size=size, tile=f"{tile.width}x{tile.height}")
        fact(say("input"), f"{size}, {manifest.network}")
        fact(say("crop"), ",".join(map(str, manifest.crop)) if manifest.crop else "-")
        share = expected_found(version)
        if share is not None:
            fact(say("simulated anomalies found"), texts.percent(share, 0))
        if made is None:
            fact(say("calibrated"), "-")
        else:
            parts = texts.say_count("{count} good part", "{count} good parts", len(made.scores))
            fact(say("calibrated"), f"{when(texts, made.created)}, {parts}")
        fact(say("engine"), ", ".join(e.flavour for e in version.engines if e.proven) or "-")
        fact(say("sealed"), when(texts, seal.sealed) if seal else "-")
        if seal and seal.key:
            fact(say("signed with"), seal.key[:16])


def _actions(context: Context, version: Version, export: Callable[[str], Awaitable[None]]) -> None:
    say, commands, number = context.viewer.texts.say, context.commands, version.number

    async def build() -> None:
        await context.submit(commands.build(number))

    async def seal() -> None:
        await context.submit(commands.release("seal", number))

    async def activate() -> None:
        await context.submit(commands.release("activate", number))

    with ui.element("div").classes("row-wrap"):
        if not version.is_built:
            context.button(say("Build"), build, icon="memory")
        if version.seal is None:
            context.button(say("Seal"), seal, icon="lock")
        else:
            if not version.is_current:
                context.button(say("Activate"), activate, icon="verified")
            context.button(say("Export"), lambda: export(number), icon="download")
