"""/review: parts that deserve eyes, one after the other."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.archive.review_queue import Queue
from edge.web.accounts.roles import Role
from edge.web.history.page import STYLE as HISTORY_STYLE
from edge.web.page import Room, add_page
from edge.web.review.choice import PATH, Choice
from edge.web.review.choice_card import queue_card
from edge.web.review.reviewer import Reviewer
from edge.web.review.session import ReviewSession
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

STYLE = HISTORY_STYLE + '<link rel="stylesheet" href="/static/review.css">'
AGREEMENT, THRESHOLD = f"{PATH}/agreement", f"{PATH}/threshold"


def add_queue(site: Site) -> None:
    """The page."""

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        choice, archive = Choice.of(request.query_params, site.settings.shifts.zone), site.archive
        names, kinds = (
            await run_in_threadpool(archive.names),
            await run_in_threadpool(archive.kinds),
        )
        if choice.is_second:
            name = viewer.account.name
            queue = Queue(await run_in_threadpool(archive.second_review_queue, choice.wanted, name))
        else:
            queue = await run_in_threadpool(archive.review_queue, choice.wanted)
        links(viewer, choice, PATH)
        queue_card(viewer.texts, choice, names, is_open=not queue.items)
        _say_what(viewer, choice, queue)
        if queue.items:
            session, after = ReviewSession(queue.items), choice.address(THRESHOLD)
            await Reviewer(viewer, archive, session, kinds, after).build()

    add_page(site, Room(PATH, mark("Review"), Role.OPERATOR, icon="rate_review"), build)


def links(viewer: Viewer, choice: Choice, here: str) -> None:
    """The review and what its labels say; `here` is the path of the one that is shown."""
    say = viewer.texts.say
    with ui.element("div").classes("row-wrap review-links"):
        for title, icon, path in (
            (say("Queue"), "rate_review", PATH),
            (say("Agreement of reviewers"), "group", AGREEMENT),
            (say("Another threshold"), "tune", THRESHOLD),
        ):
            with ui.link(target=choice.address(path)).classes("action-link") as link:
                link.props(f"aria-current={'page' if path == here else 'false'}")
                ui.icon(icon).props("aria-hidden=true")
                ui.label(title)


def _say_what(viewer: Viewer, choice: Choice, queue: Queue) -> None:
    texts, say = viewer.texts, viewer.texts.say
    if choice.is_second:
        ui.label(say("Second review: the labels of others are hidden.")).classes("muted")
    if not queue.items:
        ui.label(say("No part waits here: choose a longer time, other reasons or another product."))
    if queue.without_picture:
        text = texts.say_count(
            "{count} NG part without a label has no picture, and is not in the queue.",
            "{count} NG parts without a label have no picture, and are not in the queue.",
            queue.without_picture,
        )
        ui.label(text).classes("muted")
    if queue.reached is not None:
        when = texts.moment(queue.reached)
        ui.label(say("Looked for these parts back to {when}.", when=when)).classes("muted")
