"""All stations at a glance; each tile opens its station."""

from collections.abc import Sequence
from urllib.parse import quote

from nicegui import ui

from edge.web.live.drawing import Drawing
from edge.web.live.live_station import LiveStation
from edge.web.live.panel import Panel
from edge.web.live.shift_card import ShiftCounts
from edge.web.texts import Texts


def show_tiles(stations: Sequence[LiveStation], texts: Texts) -> None:
    """Build a tile for each station."""
    with ui.element("div").classes("cards"):
        tiles = [_Tile(station, texts) for station in stations]
    Drawing(stations, [tile.panel for tile in tiles], [tile.draw for tile in tiles])


class _Tile:
    def __init__(self, station: LiveStation, texts: Texts) -> None:
        self._station, self._texts, self._level = station, texts, ""
        with ui.link(target=f"/live/{quote(station.name)}").classes("card live-tile"):
            with ui.element("h2"):
                ui.label(station.name)
            self.panel = Panel(station, texts, tile=True)
            self._state = ui.label().classes("live-tile-state")
            self._counts = ui.label().classes("number")

    def draw(self) -> None:
        """Show state and counters of now."""
        say, state = self._texts.say, self._station.state()
        self._state.text = (
            say("{state}: {product}, version {version}", state=say(state.word),
                product=state.product, version=state.version)
            if state.product else say(state.word)
        )  # fmt: skip
        if state.level != self._level:
            self._state.classes(remove=f"state-{self._level}", add=f"state-{state.level}")
            self._level = state.level
        counts = ShiftCounts(self._station, self._texts)
        self._counts.text = say(
            "Shift: {ng} NG, {ok} OK, NG rate {rate}",
            ng=counts.number("NG", self._texts), ok=counts.number("OK", self._texts),
            rate=counts.rate(self._texts),
        )  # fmt: skip
