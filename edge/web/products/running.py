"""Which stations judge a product now, live in a page."""

from nicegui import ui

from edge.web.site import Site
from edge.web.viewer import Viewer

NO_CONNECTION = "no connection"


class RunningStations:
    """A line for each station that runs a product; `update` draws them where they have changed.

    With `stopped` those that do not run have a line too, which says how to start them.
    """

    def __init__(self, site: Site, viewer: Viewer, product: str, *, stopped: bool = False) -> None:
        self._site, self._viewer, self._product = site, viewer, product
        self._stopped = stopped
        self._shown: tuple[dict[str, str], list[str]] = ({}, [])
        self._box = ui.element("div")

    async def update(self) -> None:
        """What the stations said last; nothing is asked here."""
        states = {name: feed.state() for name, feed in self._site.stations.items()}
        runs = {s.station: s.version for s in states.values() if s.product == self._product}
        stopped = [name for name, s in states.items() if s.word == NO_CONNECTION and self._stopped]
        if (runs, stopped) == self._shown:
            return
        self._shown = runs, stopped
        self._box.clear()
        with self._box:
            self._draw(runs, stopped)

    def _draw(self, runs: dict[str, str], stopped: list[str]) -> None:
        say = self._viewer.texts.say
        for station, number in runs.items():
            with ui.element("div").classes("row-wrap state-good"):
                ui.icon("play_circle").props("aria-hidden=true")
                ui.label(say("{station} runs version {number}", station=station, number=number))
        for station in stopped:
            text = say(
                "{station} does not run: start it with 'draem run', which takes the current "
                "version of the product in its settings.",
                station=station,
            )
            ui.label(text).classes("state-warning")
