"""What a list without parts says: why it may be, and what to do."""

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from functools import partial

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.archive.query import Query
from edge.web.history.filters import TITLES
from edge.web.history.meanings import LABELS
from edge.web.history.query_words import TIMES, Words, query_of
from edge.web.page import guarded
from edge.web.parts import WORDS
from edge.web.site import Site
from edge.web.viewer import Viewer


async def say_nothing_found(
    site: Site, viewer: Viewer, words: Words, ask: Callable[[Words], Awaitable[None]]
) -> None:
    """A message, and a button for each condition that takes it away."""
    texts, say, zone = viewer.texts, viewer.texts.say, site.settings.shifts.zone
    newest = (await run_in_threadpool(site.archive.sheet, Query(), 1)).parts
    with ui.element("div").classes("card").props("role=status"):
        if not newest:
            ui.label(
                say("The archive has no parts yet: start 'draem archive run' beside the line.")
            )
            return
        since = query_of(words, zone).since
        ui.label(say("No part meets all of these conditions."))
        if since is not None and newest[0].at < since:
            when = texts.moment(newest[0].at)
            ui.label(say("The newest part in the archive is from {when}.", when=when))
        ui.label(say("Take a condition away:"))
        with ui.element("div").classes("row-wrap"):
            for name, value in words.items():
                left = {n: v for n, v in words.items() if n != name}
                title = f"{say(TITLES[name])}: {_shown(viewer, name, value, zone)}"
                taken = guarded(viewer, partial(ask, left))
                ui.button(title, icon="close", on_click=taken).props("outline no-caps")


def _shown(viewer: Viewer, name: str, value: str, zone: tzinfo | None) -> str:
    """A condition's value as its control shows it."""
    if name in TIMES:
        moment = getattr(query_of({name: value}, zone), name)
        return viewer.texts.moment(moment, seconds=False)
    known = {"verdict": WORDS, "label": LABELS}.get(name, {})
    return viewer.texts.say(known[value]) if value in known else value
