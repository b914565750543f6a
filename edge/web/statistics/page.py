"""/statistics: the page."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.web.page import Room, add_page
from edge.web.report.tables import cards_of
from edge.web.site import Site
from edge.web.statistics.choice import choice_of
from edge.web.statistics.controls import controls
from edge.web.statistics.numbers import gather
from edge.web.statistics.parts import number_card, statistics_style
from edge.web.statistics.places import places_card
from edge.web.statistics.sections import (
    control_section,
    groups_section,
    levels_section,
    pareto_sections,
    scores_section,
)
from edge.web.texts import mark
from edge.web.viewer import Viewer


def add_statistics(site: Site) -> None:
    """The page for quality engineers and line leaders."""

    async def build(viewer: Viewer, request: Request) -> None:
        statistics_style()
        choice = choice_of(request.query_params)
        numbers = await run_in_threadpool(gather, site.archive, choice, site.settings.shifts)
        texts = viewer.texts
        controls(texts, choice, numbers.known)
        with ui.element("div").classes("number-cards"):
            for name, value in cards_of(numbers.total, texts):
                number_card(name, value)
        if not numbers.periods:
            ui.label(texts.say("Nothing was inspected in this period.")).classes("card muted")
            return
        with ui.element("div").classes("charts"):
            control_section(texts, choice, numbers)
            groups_section(texts, choice, numbers)
            scores_section(texts, numbers)
            levels_section(texts, choice, numbers)
            pareto_sections(texts, numbers)
            places_card(texts, numbers.places)

    add_page(site, Room("/statistics", mark("Statistics"), icon="query_stats"), build)
