"""/: the live page."""

from nicegui import ui
from starlette.requests import Request

from edge.web.live.station_feed import StationFeed
from edge.web.page import Room, add_page
from edge.web.parts import VerdictBadge
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

DRAW_S = 0.1


def add_live(site: Site) -> None:
    """The page of all stations."""

    async def build(viewer: Viewer, request: Request) -> None:
        for feed in site.stations.values():
            _tile(viewer, feed)

    add_page(site, Room("/", mark("Live"), icon="videocam"), build)


def _tile(viewer: Viewer, feed: StationFeed) -> None:
    say = viewer.texts.say
    with ui.card():
        ui.label(feed.name)
        state, verdict, score = ui.label(), VerdictBadge(viewer.texts), ui.label()

    def draw() -> None:
        now, part = feed.state(), feed.newest
        state.text = say(now.word)
        if part is not None:
            verdict.show(part.verdict)
            score.text = "" if part.score is None else viewer.texts.number(part.score, 3)

    ui.timer(DRAW_S, draw)
