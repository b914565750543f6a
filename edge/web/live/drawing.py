"""Keeps a page as things are: what changes with each part often, everything else twice a second."""

import logging
import time
from collections.abc import Callable, Sequence

from nicegui import ui

from edge.web.live.live_station import LiveStation
from edge.web.live.panel import Panel

DRAW_S = 0.025
SLOW_S = 0.5

log = logging.getLogger(__name__)


class Drawing:
    """The timer of a page. Where a part of the page cannot be drawn, none of it is drawn again.

    The browser then says that it has no connection: a page of which one part has stood still must
    not look alive.
    """

    def __init__(
        self,
        stations: Sequence[LiveStation],
        panels: Sequence[Panel],
        slow: Sequence[Callable[[], object]],
    ) -> None:
        self._stations, self._panels, self._slow = stations, panels, slow
        self._due = 0.0
        self._timer = ui.timer(DRAW_S, self._draw)

    def _draw(self) -> None:
        try:
            self._draw_all()
        except Exception:
            log.exception("a live page cannot be drawn: it stops")
            self._timer.cancel()

    def _draw_all(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + SLOW_S
            for station in self._stations:
                station.want()
            for draw in self._slow:
                draw()
        for panel in self._panels:
            panel.draw()
