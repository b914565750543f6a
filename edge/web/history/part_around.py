"""What happened around a part: its neighbours in the line, faults, other times it came."""

from nicegui import ui

from edge.archive.around import Incident
from edge.archive.search import Found
from edge.web.history.meanings import code_text
from edge.web.history.part_data import PartData
from edge.web.history.query_words import Words
from edge.web.history.results import name_of, part_lines, thumbnail
from edge.web.parts import ICONS, WORDS
from edge.web.texts import Texts, mark

STATES = {"running": mark("running"), "paused": mark("paused"), "stopped": mark("stopped")}


def around(texts: Texts, data: PartData, words: Words) -> None:
    """Thumbnails of the parts before and after, faults and changes of state."""
    say = texts.say
    with ui.element("section").classes("card"):
        _title(say("Before and after on {station}", station=data.part.station))
        with ui.element("div").classes("neighbours").props("tabindex=0"):
            for part in data.neighbours:
                _neighbour(texts, part, part.key == data.part.key)
        if not data.incidents:
            text = say("No fault and no change of state within five minutes.")
            ui.label(text).classes("muted")
        for incident in data.incidents:
            _incident(texts, incident)
    if data.others:
        with ui.element("section").classes("card"):
            _title(say("The same part at other times"))
            part_lines(texts, data.others, words)


def _title(text: str) -> None:
    with ui.element("h2"):
        ui.label(text)


def _neighbour(texts: Texts, part: Found, is_this: bool) -> None:
    link = ui.link(target=f"/parts/{part.key}").classes("neighbour")
    with link.props("aria-current=true" if is_this else ""):
        thumbnail(texts, part)
        with ui.element("span").classes(f"verdict part-verdict verdict-{part.verdict}"):
            ui.icon(ICONS.get(part.verdict, "help")).props("aria-hidden=true")
            ui.label(texts.say(WORDS.get(part.verdict, part.verdict)))
        ui.label(texts.time(part.at)).classes("number")
        ui.label(name_of(texts, part))


def _incident(texts: Texts, incident: Incident) -> None:
    with ui.element("div").classes("incident"):
        ui.label(texts.time(incident.at)).classes("number")
        is_fault = incident.kind == "fault"
        icon = ui.icon("error_outline" if is_fault else "info").props("aria-hidden=true")
        icon.classes("state-bad" if is_fault else "")
        if is_fault:
            ui.label(f"{code_text(texts, incident.word)} ({incident.message})")
        else:
            state = texts.say(STATES.get(incident.word, incident.word))
            ui.label(f"{state}: {incident.message}")
