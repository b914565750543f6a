"""The newest part of a station: picture, verdict and score, in one component of the browser.

A message is sent when something has changed and the browser has shown the one before, so that a
slow browser skips parts instead of falling behind; at most each PACE_S (a picture does not wait for
the pace of the verdicts), since nobody reads faster and each costs the browser a drawing; and at
least each BEAT_S, so that a browser without messages knows that what it shows is old.
"""

import time
from typing import Any

from nicegui.element import Element

from edge.web.live.live_station import LiveStation
from edge.web.live.panel_values import picture_values, values
from edge.web.texts import Texts

PACE_S, BEAT_S = 0.1, 0.5
UNSEEN_S = 5.0  # then a message counts as lost, and the next one is sent
LIMIT_MS = 1500


class Panel(Element, component="panel.js"):
    """Call `draw` often; it does nothing where nothing has changed."""

    def __init__(self, station: LiveStation, texts: Texts, *, tile: bool = False) -> None:
        super().__init__()
        self._station, self._texts, self._tile = station, texts, tile
        self._sent_at, self._awaits = 0.0, False
        self._drawn, self._picture_at = (0, 0), 0.0
        self._message: dict[str, Any] = {}
        self._props["texts"] = {
            "lost": texts.say("no connection"),
            "frozen": texts.say("this picture is old: newer ones do not arrive"),
            "why": texts.say("The page does not reach its server: do not rely on it."),
        }
        self._props["tile"], self._props["heat"] = tile, False
        self._props["limit"] = LIMIT_MS
        self.on("shown", self._note_shown, args=[])

    def show_heat(self, on: bool) -> None:
        """Lay the heatmap over the picture, or not."""
        self._props["heat"] = on
        self.update()

    def draw(self) -> None:
        """Send what is true now."""
        now = time.monotonic()
        if self._awaits and now < self._sent_at + UNSEEN_S:
            return
        is_due = now >= self._sent_at + BEAT_S
        if not is_due and (self._tile or not self._has_news(now)):
            return
        station = self._station
        self._drawn = (station.feed.changes, station.pictures.changes)
        message = values(station, self._texts)
        message["picture"] = picture_values(station, self._texts, small=self._tile)
        if is_due or message != self._message:
            self._message, self._sent_at, self._awaits = message, now, True
            self.run_method("show", message)

    def _has_news(self, now: float) -> bool:
        """Whether something has changed that need not wait."""
        parts, pictures = self._drawn
        if self._station.pictures.changes != pictures and now >= self._picture_at + PACE_S:
            self._picture_at = now
            return True
        return self._station.feed.changes != parts and now >= self._sent_at + PACE_S

    def _note_shown(self) -> None:
        self._awaits = False
