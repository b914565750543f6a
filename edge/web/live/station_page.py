"""One station: what it judges now, its state, its last rejects and its controls."""

from nicegui import ui

from edge.web.live.controls import Controls
from edge.web.live.drawing import Drawing
from edge.web.live.live_station import LiveStation
from edge.web.live.panel import Panel
from edge.web.live.reject_strip import RejectStrip
from edge.web.live.shift_card import ShiftCard
from edge.web.live.state_line import StateLine
from edge.web.viewer import Viewer


def show_station(station: LiveStation, viewer: Viewer) -> None:
    """Build the content of the page; all of it is updated in place."""
    texts = viewer.texts
    with ui.element("div").classes("live-station"):
        states = StateLine(station, texts)
        panel = Panel(station, texts)
        heat = ui.switch(texts.say("Heatmap")).classes("live-switch no-print")
        shift = ShiftCard(station, texts)
        controls = Controls(station, viewer)
        rejects = RejectStrip(station, viewer)
    heat.on_value_change(lambda: panel.show_heat(bool(heat.value)))
    Drawing([station], [panel], [states.draw, shift.draw, controls.draw, rejects.draw])
