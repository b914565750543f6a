"""The list of found parts: a line with a thumbnail each, which is a link to the part's page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from nicegui import ui

from edge.archive.search import Found
from edge.web.attributes import attributes
from edge.web.codes import cause
from edge.web.history.meanings import label_text
from edge.web.history.query_words import address
from edge.web.parts import ICONS, WORDS, thumbnail_address
from edge.web.texts import Texts

TEMPLATE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
).get_template("part_lines.html")


def part_lines(texts: Texts, parts: Sequence[Found], words: Mapping[str, str]) -> None:
    """A line for each part; its link keeps the question, for 'older' and 'newer' on its page.

    They are one element: hundreds of them would take the most of a search's time.
    """
    lines = [_line(texts, part, words) for part in parts]
    made = TEMPLATE.render(lines=lines, no_picture=texts.say("no picture"))
    ui.html(made, sanitize=False).classes("part-list")  # the template escapes all values


def _line(texts: Texts, part: Found, words: Mapping[str, str]) -> dict[str, str]:
    return {
        "address": address(f"/parts/{part.key}", words),
        "thumbnail": thumbnail_address(part.picture) if part.picture else "",
        "verdict": part.verdict,
        "icon": ICONS.get(part.verdict, "help"),
        "word": texts.say(WORDS.get(part.verdict, part.verdict)),
        "time": texts.moment(part.at),
        "score": score_text(texts, part),
        "name": name_of(texts, part),
        "where": f"{part.station} · {part.product} {part.version}",
        "note": note(texts, part),
    }


def thumbnail(texts: Texts, part: Found) -> None:
    """A small picture, or a place that says there is none."""
    if part.picture is not None:
        source = thumbnail_address(part.picture)
        # Decoration: the line's text says all that a picture's description could.
        image = ui.element("img").props('alt="" loading=lazy').classes("part-thumb")
        attributes(image, src=source)
    else:
        with ui.element("span").classes("part-thumb part-thumb-none"):
            ui.label(texts.say("no picture"))


def name_of(texts: Texts, part: Found) -> str:
    """A part's id, or the number of its trigger, or that of its inspection."""
    if part.part_id:
        return part.part_id
    if part.trigger_id is not None:
        return texts.say("trigger {number}", number=part.trigger_id)
    return texts.say("inspection {number}", number=part.inspection_id)


def score_text(texts: Texts, part: Found) -> str:
    """A score beside its threshold; a dash where there is none."""
    score = "-" if part.score is None else texts.number(part.score, 3)
    return score if part.threshold is None else f"{score} / {texts.number(part.threshold, 3)}"


def note(texts: Texts, part: Found) -> str:
    """What is special: why there is no verdict, and what people said."""
    code = "" if part.code == "none" else cause(texts, part.code)
    return " · ".join(text for text in (code, label_text(texts, part.label, part.kind)) if text)
