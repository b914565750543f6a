"""/history: the list of inspected parts that meet conditions, which stand in the address."""

from nicegui import ui
from nicegui.events import GenericEventArguments
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request

from edge.archive.sheets import Sheet
from edge.base.errors import DraemError
from edge.web.attributes import attributes
from edge.web.history.box_dialog import Box, BoxDialog
from edge.web.history.empty import say_nothing_found
from edge.web.history.filters import Filters
from edge.web.history.query_words import (
    AFTER,
    BEFORE,
    Words,
    address,
    fixed,
    query_of,
    words_in,
)
from edge.web.history.results import part_lines
from edge.web.page import Room, add_page, guarded
from edge.web.shell import show_error
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

PATH = "/history"
LIMIT = 50
STYLE = '<link rel="stylesheet" href="/static/history.css">'
# The browser's back and forward buttons change the address alone; the server then shows its parts.
MOVED = "<script>addEventListener('popstate', () => emitEvent('moved', location.search))</script>"


def add_list(site: Site) -> None:
    """The page."""

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        ui.add_head_html(MOVED)
        await HistoryList(site, viewer).build(request.query_params)

    add_page(site, Room(PATH, mark("History"), icon="history"), build)


class HistoryList:
    """The conditions and the list of one open page."""

    def __init__(self, site: Site, viewer: Viewer) -> None:
        self._site, self._viewer = site, viewer
        self._words: Words = {}
        self._sheet = Sheet([], None, None)

    async def build(self, parameters: QueryParams) -> None:
        """Make the page of an address."""
        archive, say = self._site.archive, self._viewer.texts.say
        names, kinds = (
            await run_in_threadpool(archive.names),
            await run_in_threadpool(archive.kinds),
        )
        shifts = self._site.settings.shifts
        section = ui.element("section").classes("card")
        with attributes(section, aria_label=say("Conditions")):
            self._filters = Filters(self._viewer.texts, names, kinds, shifts, self._ask)
            self._filters.build()
            with self._filters.more:
                draw = guarded(self._viewer, self._draw_box)
                ui.button(say("Draw a box on a picture"), icon="crop", on_click=draw).props("flat")
        self._bar = ui.element("div").classes("row-wrap")
        self._list = ui.element("div").classes("part-results")
        self._foot = ui.element("div").classes("row-wrap")
        ui.on("moved", self._move)
        await self._show(parameters)

    async def _ask(self, words: Words) -> None:
        """Other conditions: a new entry in the browser's history."""
        ui.navigate.history.push(address(PATH, words))
        await guarded(self._viewer, lambda: self._show(words))()

    async def _move(self, event: GenericEventArguments) -> None:
        parameters = QueryParams(str(event.args).removeprefix("?"))
        await guarded(self._viewer, lambda: self._show(parameters))()

    async def _show(self, parameters: QueryParams | Words) -> None:
        """Find and list what an address means."""
        self._words = words_in(parameters)
        after, before = parameters.get(AFTER), parameters.get(BEFORE)
        try:
            zone = self._site.settings.shifts.zone
            self._words = fixed(self._words, zone)
            query, archive = query_of(self._words, zone), self._site.archive
            newer = before is not None
            self._sheet = await run_in_threadpool(
                archive.sheet, query, LIMIT, before or after, newer=newer
            )
        except DraemError as error:
            self._list.clear()
            with self._list:
                show_error(str(error))
            return
        finally:
            self._filters.show(self._words)
        await self._draw()

    async def _draw(self) -> None:
        self._draw_bar()
        self._list.clear()
        with self._list:
            part_lines(self._viewer.texts, self._sheet.parts, self._words)
            if not self._sheet.parts and self._sheet.reached is None:
                await say_nothing_found(self._site, self._viewer, self._words, self._ask)
        self._list.props["data-shown"] = address("", self._words)
        self._foot.clear()
        with self._foot:
            self._draw_steps()

    def _draw_bar(self) -> None:
        texts, parts = self._viewer.texts, self._sheet.parts
        self._bar.clear()
        with self._bar:
            if parts:
                first, last = texts.moment(parts[0].at), texts.moment(parts[-1].at)
                shown = texts.say_count("{count} part", "{count} parts", len(parts))
                ui.label(
                    texts.say("{parts}, {first} to {last}", parts=shown, first=last, last=first)
                )
            ui.space()
            with ui.link(target=address("/history.csv", self._words)).classes("action-link"):
                ui.icon("download").props("aria-hidden=true")
                ui.label(texts.say("All of them as CSV"))
            if self._words:
                clear = guarded(self._viewer, lambda: self._ask({}))
                ui.button(
                    texts.say("Take all conditions away"), icon="clear", on_click=clear
                ).props("flat")

    def _draw_steps(self) -> None:
        say, sheet = self._viewer.texts.say, self._sheet
        if sheet.newer:
            self._step(say("Newer"), "chevron_left", **{BEFORE: sheet.newer})
        if sheet.reached is not None:
            when = self._viewer.texts.moment(sheet.reached)
            ui.label(say("Looked for these parts back to {when}.", when=when)).classes("muted")
        if sheet.older:
            further = say("Older") if sheet.reached is None else say("Look further")
            self._step(further, "chevron_right", **{AFTER: sheet.older})

    def _step(self, title: str, icon: str, **place: str) -> None:
        """A link that can be copied; a click on it shows its parts here, without a new page."""
        target = address(PATH, self._words, **place)

        async def go() -> None:
            ui.navigate.history.push(target)
            await self._show({**self._words, **place})
            ui.run_javascript("scrollTo(0, 0)")

        with ui.link(target=target).classes("action-link") as link:
            ui.icon(icon).props("aria-hidden=true")
            ui.label(title)
        link.on("click.exact.prevent", guarded(self._viewer, go), args=[])

    async def _draw_box(self) -> None:
        """On the first picture of the list, or the newest of the product."""
        say = self._viewer.texts.say
        found = next((part for part in self._sheet.parts if part.picture), None)
        if found is None:
            ui.notify(say("No part of this list has a picture: choose others first."))
            return

        async def use(box: Box) -> None:
            await self._ask({**self._words, "box": "+".join(str(value) for value in box)})

        BoxDialog(self._viewer, found, use).open()
