"""Which stations judge a product now, live in a page."""

from nicegui import ui

from edge.web.site import Site
from edge.web.viewer import Viewer


class RunningStations:
    """A line for each station that runs a product; `update` draws them where they have changed."""

    def __init__(self, site: Site, viewer: Viewer, product: str) -> None:
        self._site, self._viewer, self._product = site, viewer, product
        self._shown: dict[str, str] = {}
        self._box = ui.element("div")

    async def update(self) -> None:
        """What the stations said last; nothing is asked here."""
        states = (feed.state() for feed in self._site.stations.values())
        now = {one.station: one.version for one in states if one.product == self._product}
        if now == self._shown:
            return
        self._shown, say = now, self._viewer.texts.say
        self._box.clear()
        with self._box:
            for station, number in now.items():
                with ui.element("div").classes("row-wrap state-good"):
                    ui.icon("play_circle").props("aria-hidden=true")
                    ui.label(say("{station} runs version {number}", station=station, number=number))
