"""/parts/KEY: all that is known of one inspected part."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.archive.search import Found
from edge.web.history.label_card import LabelCard
from edge.web.history.page import PATH, STYLE
from edge.web.history.part_around import around
from edge.web.history.part_data import PartData, read_part
from edge.web.history.part_facts import facts, head, regions_table, stages
from edge.web.history.picture import PictureView, is_corrected
from edge.web.history.query_words import Words, address, query_of, words_in
from edge.web.history.results import name_of
from edge.web.page import Room, add_page
from edge.web.parts import picture_address
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer


def add_part(site: Site) -> None:
    """The page. Its address has the question of the list that the reader comes from."""

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        key, words = request.path_params["key"], words_in(request.query_params)
        page = ui.element("div").classes("part-whole")

        async def show() -> None:
            query = query_of(words, site.settings.shifts.zone)
            data = await run_in_threadpool(read_part, site.archive, key, query)
            page.clear()
            with page:
                _steps(viewer, data, words)
                with ui.element("div").classes("part-page"):
                    _left(viewer, data, words)
                    with ui.element("div").classes("part-column"):
                        _about(viewer, data)
                        LabelCard(viewer, data, show).build()

        await show()

    add_page(site, Room("/parts/{key}", mark("Part"), within=PATH), build)


def _steps(viewer: Viewer, data: PartData, words: Words) -> None:
    """The part's name, and links to the next parts of the list."""
    say = viewer.texts.say
    with ui.element("div").classes("row-wrap"):
        with ui.element("h2").classes("part-title"):
            ui.label(name_of(viewer.texts, data.part))
        ui.space()
        _link(say("To the list"), "list", address(PATH, words))
        for title, icon, part in (
            (say("Newer"), "chevron_left", data.newer),
            (say("Older"), "chevron_right", data.older),
        ):
            if part is not None:
                _link(title, icon, address(f"/parts/{part.key}", words))


def _link(title: str, icon: str, target: str, download: str = "") -> None:
    with ui.link(target=target).classes("action-link") as link:
        ui.icon(icon).props("aria-hidden=true")
        ui.label(title)
    if download:
        link.props["download"] = download


def _left(viewer: Viewer, data: PartData, words: Words) -> None:
    texts = viewer.texts
    with ui.element("div").classes("part-column"):
        with ui.element("section").classes("card"):
            _picture(viewer, data)
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(texts.say("Defects"))
            regions_table(texts, data.regions)
        around(texts, data, words)


def _picture(viewer: Viewer, data: PartData) -> None:
    say, part = viewer.texts.say, data.part
    view = PictureView(viewer.texts)
    view.show(part, data.regions)
    with ui.element("div").classes("row-wrap"):
        if part.picture is not None:
            switches(view, viewer, part)
        ui.space()
        for digest, title, name in (
            (part.picture, say("Picture"), part.key),
            (part.mask, say("Mask"), f"{part.key}-mask"),
        ):
            if digest is not None:
                _link(title, "download", picture_address(digest), f"{name}.png")


def switches(view: PictureView, viewer: Viewer, part: Found) -> None:
    """What lies over the picture."""
    say = viewer.texts.say

    def draw() -> None:
        view.outlines, view.mask = boxes.value, mask is not None and mask.value
        view.draw()

    boxes = ui.switch(say("Outlines"), value=True, on_change=draw)
    mask = ui.switch(say("Mask"), on_change=draw) if part.mask is not None else None
    if mask is not None and is_corrected(part):
        text = say("The mask belongs to the corrected picture: here it lies only nearly right.")
        ui.label(text).classes("muted")


def _about(viewer: Viewer, data: PartData) -> None:
    texts = viewer.texts
    with ui.element("section").classes("card"):
        head(texts, data.part)
        facts(texts, data.part)
        stages(texts, data.part)
