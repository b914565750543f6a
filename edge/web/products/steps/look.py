"""Look through: all pictures small, page by page; a defective one is thrown out with a tap."""

from dataclasses import dataclass
from functools import cache
from typing import Literal
from urllib.parse import quote

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.base.errors import ImageError
from edge.vision.good_parts import find_good
from edge.web.accounts.roles import Role
from edge.web.attributes import attributes
from edge.web.page import guarded
from edge.web.products.context import Context
from edge.web.products.marks import Marks, PictureMarks
from edge.web.products.picture_folder import PictureFolder
from edge.web.texts import mark

PAGE = 48
Show = Literal["all", "marked", "removed"]
SHOWS: dict[Show, str] = {
    "all": mark("all"),
    "marked": mark("marked ones"),
    "removed": mark("thrown out"),
}


@dataclass
class Sheet:
    """What is shown: the names, their marks, and what training would leave out."""

    names: list[str]
    marks: Marks
    left_out: str


async def look_step(context: Context) -> None:
    """The contact sheet."""
    say, show = context.viewer.texts.say, _show_of(context)
    sheet: Sheet = await run_in_threadpool(_read, context.pictures, show)
    with ui.element("section").classes("card"):
        text = say(
            "One defective part among the good ones hides its like. Tap a picture to throw it "
            "out; it stays where it can be put back."
        )
        ui.label(text)
        if sheet.left_out:
            ui.label(say("training leaves out: {what}", what=sheet.left_out)).classes(
                "state-warning"
            )
        _choice(context, show, sheet)
        _done_button(context)
    first = _page_of(context, len(sheet.names)) * PAGE
    with ui.element("div").classes("tiles"):
        for name in sheet.names[first : first + PAGE]:
            _Tile(context, sheet.marks, name, removed=show == "removed")
    _pages(context, show, len(sheet.names))


def _show_of(context: Context) -> Show:
    wanted = context.query.get("show", "all")
    return next((show for show in SHOWS if show == wanted), "all")


@cache
def _marks_of(folder: str) -> PictureMarks:
    """Kept for all browsers, since each picture is read for it once."""
    return PictureMarks()


def _read(folder: PictureFolder, show: Show) -> Sheet:
    if show == "removed":
        return Sheet(folder.names(removed=True), Marks({}, frozenset()), "")
    names = folder.names()
    marks = _marks_of(str(folder.good)).of(folder.good, names)
    if show == "marked":
        names = [name for name in names if name in marks.same_as or name in marks.unusual]
    return Sheet(names, marks, _left_out(folder))


def _left_out(folder: PictureFolder) -> str:
    """What `draem train` would say of the folder."""
    try:
        return find_good(folder.good).left_out
    except ImageError as error:
        return str(error)


def _choice(context: Context, show: Show, sheet: Sheet) -> None:
    say, bench = context.viewer.texts.say, context.bench
    marked = len(sheet.marks.same_as.keys() | sheet.marks.unusual)
    counts = {"all": bench.pictures, "marked": marked, "removed": bench.removed}
    with ui.element("div").classes("row-wrap"):
        for key, text in SHOWS.items():
            is_known = key != "marked" or show != "removed"
            words = f"{say(text)} ({counts[key]})" if is_known else say(text)
            link = ui.link(words, f"/products/{context.name}?step=look&show={key}")
            link.classes("choice")
            attributes(link, aria_current="true" if key == show else "false")


def _done_button(context: Context) -> None:
    say, count = context.viewer.texts.say, context.bench.pictures

    async def looked() -> None:
        await context.keep(looked_through=count)
        ui.navigate.to(f"/products/{context.name}?step=view")

    if count:
        context.button(say("All of these are good parts"), looked, icon="check", main=True)


class _Tile:
    """A picture that a tap throws out, and another tap puts back."""

    def __init__(self, context: Context, marks: Marks, name: str, *, removed: bool) -> None:
        self._context, self._name, self._removed = context, name, removed
        say = context.viewer.texts.say
        with ui.element("div").classes("tile") as self._box:
            self._button = ui.element("button").classes("tile-picture").props("type=button")
            with self._button:
                self._image = ui.element("img").props('loading=lazy alt=""')
            self._state = ui.label().classes("tile-state")
            ui.label(name).classes("tile-name")
            if name in marks.unusual:
                self._chip(say("unlike the others"))
            if first := marks.same_as.get(name):
                self._chip(say("the same as {name}", name=first))
            self._large = ui.link(say("large"), new_tab=True).classes("tile-large")
        if context.may_change:
            self._button.on("click", guarded(context.viewer, self._toggle), args=[])
        self._draw()

    def _chip(self, text: str) -> None:
        with ui.element("div").classes("tile-chip state-warning"):
            ui.icon("flag").props("aria-hidden=true")
            ui.label(text)

    def _address(self, side: int) -> str:
        removed = "&removed=true" if self._removed else ""
        return f"/products/{self._context.name}/pictures/{quote(self._name)}?side={side}{removed}"

    def _draw(self) -> None:
        say = self._context.viewer.texts.say
        attributes(self._image, src=self._address(240))
        attributes(self._large, href=self._address(0))
        self._box.classes(
            add="tile-removed" if self._removed else "",
            remove="" if self._removed else "tile-removed",
        )
        self._state.text = say("thrown out: tap to put it back") if self._removed else ""
        name = self._name
        if self._removed:
            attributes(self._button, aria_label=say("Put back {name}", name=name))
        else:
            attributes(self._button, aria_label=say("Throw out {name}", name=name))

    async def _toggle(self) -> None:
        folder, names = self._context.pictures, [self._name]
        do = folder.put_back if self._removed else folder.throw_out
        action = "put back picture" if self._removed else "throw out picture"
        target = f"{self._context.name} {self._name}"
        await self._context.viewer.change(Role.ENGINEER, action, target, lambda: do(names))
        self._removed = not self._removed
        self._draw()


def _page_of(context: Context, count: int) -> int:
    """The page of the address, from 0."""
    text = context.query.get("page", "1")
    wanted = int(text) - 1 if text.isdecimal() and len(text) < 7 else 0
    return max(0, min(wanted, (count - 1) // PAGE))


def _pages(context: Context, show: Show, count: int) -> None:
    say, pages = context.viewer.texts.say, -(-count // PAGE)
    if pages < 2:
        return
    with attributes(ui.element("nav").classes("row-wrap"), aria_label=say("Pages")):
        for number in range(1, pages + 1):
            address = f"/products/{context.name}?step=look&show={show}&page={number}"
            link = ui.link(str(number), address).classes("choice")
            here = number == _page_of(context, count) + 1
            attributes(link, aria_current="page" if here else "false")
