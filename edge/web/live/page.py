"""/ and /live/STATION: the live pages."""

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.requests import Request

from edge.base.errors import DraemError
from edge.web.live.live_station import LiveStation
from edge.web.live.routes import add_live_pictures
from edge.web.live.station_page import show_station
from edge.web.live.tiles import show_tiles
from edge.web.page import Room, add_page
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

STYLE = '<link rel="stylesheet" href="/static/live.css">'


class NoStation(DraemError):
    """The address names a station that this page does not show."""


def add_live(app: FastAPI, site: Site) -> None:
    """The page of all stations, that of each, and their pictures."""
    stations = {
        name: LiveStation(feed, site.archive, site.settings.shifts)
        for name, feed in site.stations.items()
    }
    for station in stations.values():
        nicegui_app.on_shutdown(station.close)
    add_live_pictures(app, stations)

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        if len(stations) == 1:
            show_station(next(iter(stations.values())), viewer)
        else:
            show_tiles(list(stations.values()), viewer.texts)

    async def build_one(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        name = request.path_params["name"]
        if name not in stations:
            known = ", ".join(stations)
            raise NoStation(f"there is no station {name}: open /live/ and one of {known}")
        show_station(stations[name], viewer)

    add_page(site, Room("/", mark("Live"), icon="videocam"), build)
    add_page(site, Room("/live/{name}", mark("Live"), within="/"), build_one)
