"""The state of line, camera, log, drift, archive, bridge and disk, and what to do about it."""

from nicegui import ui

from edge.web.live.condition import NAMES, Condition, What
from edge.web.live.conditions import conditions
from edge.web.live.live_station import LiveStation
from edge.web.texts import Texts

ICONS = {"good": "check_circle", "warning": "warning", "bad": "error", "unknown": "remove"}


class StateLine:
    """A row of states in a word each, and a line below for each that is not well."""

    def __init__(self, station: LiveStation, texts: Texts) -> None:
        self._station, self._texts = station, texts
        with ui.element("section").classes("live-states") as section:
            section.props["aria-label"] = texts.say("State of the station")
            with ui.element("div").classes("live-chips"):
                self._chips = {what: _Chip(texts.say(name)) for what, name in NAMES.items()}
            self._problems = {what: _Problem(texts.say(name)) for what, name in NAMES.items()}

    def draw(self) -> None:
        """Show the states of now."""
        found: dict[What, Condition] = {
            one.what: one for one in conditions(self._station, self._texts)
        }
        for what in NAMES:
            self._chips[what].show(found.get(what))
            self._problems[what].show(found.get(what))


class _Chip:
    def __init__(self, name: str) -> None:
        self._level = ""
        with ui.element("div").classes("live-chip") as self._box:
            self._icon = ui.icon("").props("aria-hidden=true")
            with ui.element("div"):
                ui.label(name).classes("live-chip-name")
                self._word = ui.label().classes("live-chip-word number")

    def show(self, condition: Condition | None) -> None:
        self._box.visible = condition is not None
        if condition is None:
            return
        self._word.text = condition.word
        if condition.level != self._level:
            self._box.classes(remove=f"state-{self._level}", add=f"state-{condition.level}")
            self._icon.set_name(ICONS[condition.level])
            self._level = condition.level


class _Problem:
    def __init__(self, name: str) -> None:
        self._level = ""
        with ui.element("div").classes("live-problem") as self._box:
            self._icon = ui.icon("").props("aria-hidden=true")
            ui.label(name).classes("live-problem-name")
            self._problem = ui.label()
            self._fix = ui.label()
        self._box.visible = False

    def show(self, condition: Condition | None) -> None:
        self._box.visible = condition is not None and bool(condition.problem)
        if condition is None or not condition.problem:
            return
        self._problem.text, self._fix.text = condition.problem, condition.fix
        if condition.level != self._level:
            self._box.classes(remove=f"state-{self._level}", add=f"state-{condition.level}")
            self._icon.set_name(ICONS[condition.level])
            self._level = condition.level
