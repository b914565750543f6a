"""/review/agreement: how far reviewers agree, and where they do not."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.archive.labels import Given
from edge.web.history.meanings import label_text
from edge.web.page import Room, add_page
from edge.web.plain_table import plain_table
from edge.web.review.agreement import Agreement, agreements, disagreements
from edge.web.review.choice import PATH, Choice
from edge.web.review.choice_card import choice_card
from edge.web.review.page import AGREEMENT, STYLE, links
from edge.web.site import Site
from edge.web.texts import Texts, mark
from edge.web.viewer import Viewer

MOST = 200


def add_agreement(site: Site) -> None:
    """The page."""

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        choice, texts = Choice.of(request.query_params, site.settings.shifts.zone), viewer.texts
        names = await run_in_threadpool(site.archive.names)
        found = await run_in_threadpool(site.archive.opinions, choice.query)
        pairs = await run_in_threadpool(agreements, found)
        links(viewer, choice, AGREEMENT)
        choice_card(texts, choice, names, path=AGREEMENT)
        with ui.element("section").classes("card"):
            _pairs(texts, pairs)
        if differing := disagreements(found):
            with ui.element("section").classes("card"):
                _differing(texts, differing)

    add_page(site, Room(AGREEMENT, mark("Agreement of reviewers"), within=PATH), build)


def _pairs(texts: Texts, pairs: list[Agreement]) -> None:
    say = texts.say
    if not pairs:
        ui.label(say("No part of these was labelled by two people: start a second review."))
        return
    titles = [say("Reviewers"), say("Parts"), say("Same label"), say("Agreement"), "κ (Cohen)"]
    plain_table(
        say("Agreement of reviewers"),
        titles,
        [
            [
                f"{pair.first}, {pair.second}",
                texts.number(pair.parts),
                texts.number(pair.agreed),
                texts.percent(pair.agreed / pair.parts),
                "-" if pair.kappa is None else texts.number(pair.kappa, 2),
            ]
            for pair in pairs
        ],
        numbers=4,
    )
    text = say(
        "Kappa is the agreement beyond chance: 1 is full agreement, 0 what chance gives. "
        "Kinds of defects do not count in it."
    )
    ui.label(text).classes("muted")


def _differing(texts: Texts, differing: list[tuple[str, dict[str, Given]]]) -> None:
    with ui.element("h2"):
        count = len(differing)
        ui.label(texts.say_count("{count} disagreement", "{count} disagreements", count))
    for key, given in differing[:MOST]:
        with ui.element("div").classes("row-wrap"):
            ui.link(texts.say("part {key}", key=key), f"/parts/{key}").classes("action-link")
            for who, one in given.items():
                ui.label(f"{who}: {label_text(texts, one.label, one.kind)}")
