"""/review/threshold: what another threshold would change, by the labels of one version."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.archive.around import Names
from edge.web.attributes import attributes
from edge.web.page import Room, add_page
from edge.web.plain_table import plain_table
from edge.web.review.choice import PATH, Choice
from edge.web.review.choice_card import choice_card
from edge.web.review.page import STYLE, THRESHOLD, links
from edge.web.review.threshold import STEPS, Labelled, read_labelled
from edge.web.site import Site
from edge.web.texts import Texts, mark
from edge.web.viewer import Viewer

FALSE_REJECTS, ESCAPES, PRESENT = "#c26a00", "#c2274b", "#7d8790"
FAINT = {"lineStyle": {"opacity": 0.25}}


def add_threshold(site: Site) -> None:
    """The page."""

    async def build(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        choice, texts = Choice.of(request.query_params, site.settings.shifts.zone), viewer.texts
        names = await run_in_threadpool(site.archive.names)
        choice = with_the_only(choice, names)
        links(viewer, choice, THRESHOLD)
        choice_card(texts, choice, names, path=THRESHOLD)
        if "product" not in choice.words or "version" not in choice.words:
            ui.label(texts.say("Choose a product and a version: each has its own threshold."))
            return
        found = await run_in_threadpool(read_labelled, site.archive, choice.query)
        _show(texts, choice, found)

    add_page(site, Room(THRESHOLD, mark("Another threshold"), within=PATH), build)


def with_the_only(choice: Choice, names: Names) -> Choice:
    """Nobody needs to choose where there is one product, or one version of it."""
    words = dict(choice.words)
    if len(names.versions) == 1:
        words.setdefault("product", *names.versions)
    versions = names.versions.get(words.get("product", ""), ())
    if len(versions) == 1:
        words.setdefault("version", *versions)
    return replace(choice, words=words)


def _show(texts: Texts, choice: Choice, found: Labelled) -> None:
    say = texts.say
    if not found.parts:
        ui.label(say("No part of this version and time has a label: review some first."))
        return
    with ui.element("section").classes("card"):
        good = texts.say_count("{count} good part", "{count} good parts", found.good)
        bad = texts.say_count("{count} defective part", "{count} defective parts", found.defective)
        ui.label(say("Labelled: {good}, {bad}.", good=good, bad=bad))
        text = say(
            "The curves count labelled parts alone, most of them chosen for review because they "
            "were rejected or near the threshold: they are no rates of the line."
        )
        ui.label(text).classes("muted")
        title = say("False rejects and escapes by threshold")
        with attributes(ui.element("div").props("role=img"), aria_label=title):
            ui.echart(_options(texts, found), renderer="svg").classes("chart")
        _table(texts, found)
        _actions(texts, choice)


def _axis(found: Labelled, factor: float) -> float:
    return factor * (found.threshold or 1.0)


def _threshold_text(texts: Texts, found: Labelled, factor: float) -> str:
    if found.threshold is None:
        return f"{texts.number(factor, 2)} ×"  # noqa: RUF001
    return texts.number(_axis(found, factor), 4)


def _table(texts: Texts, found: Labelled) -> None:
    say = texts.say
    rows = []
    for factor in STEPS:
        outcome = found.outcome(factor)
        sign = "+" if factor > 1 else ""
        change = say("present") if factor == 1 else sign + texts.percent(factor - 1, 0)
        rows.append(
            [
                _threshold_text(texts, found, factor),
                change,
                texts.number(outcome.false_rejects),
                texts.number(outcome.escapes),
            ]
        )
    titles = [say("Threshold"), say("Difference"), say("False rejects"), say("Escapes")]
    name = say("Another threshold")
    plain_table(name, titles, rows, numbers=3, present=STEPS.index(1.0))


def _options(texts: Texts, found: Labelled) -> dict[str, Any]:
    say, curve = texts.say, found.curve()
    shown = [(_axis(found, one.factor), one.false_rejects, one.escapes) for one in curve]
    now = {"xAxis": _axis(found, 1.0), "label": {"formatter": say("present")}}
    style = {"color": PRESENT, "type": "dotted"}
    # The library rounds a mark to two decimals unless told otherwise.
    line = {"symbol": "none", "precision": 6, "lineStyle": style, "data": [now]}
    several = say("Threshold, as a multiple of the present one")
    return {
        "animation": False,
        "legend": {"top": 0},
        "grid": {"left": 50, "right": 20, "top": 40, "bottom": 50},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "value",
            "name": several if found.threshold is None else say("Threshold"),
            "nameLocation": "middle",
            "nameGap": 30,
            "min": _axis(found, curve[0].factor),
            "max": _axis(found, curve[-1].factor),
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
            "splitLine": FAINT,
        },
        "yAxis": {"type": "value", "minInterval": 1, "splitLine": FAINT},
        "series": [
            _series(say("False rejects"), FALSE_REJECTS, "solid", [(x, y) for x, y, _ in shown])
            | {"markLine": line},
            _series(say("Escapes"), ESCAPES, "dashed", [(x, y) for x, _, y in shown]),
        ],
    }


def _series(name: str, color: str, dash: str, data: list[tuple[float, int]]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "line",
        "step": "end",
        "showSymbol": False,
        "color": color,
        "lineStyle": {"type": dash, "width": 2, "color": color},
        "data": data,
    }


def _actions(texts: Texts, choice: Choice) -> None:
    """The product's page, with the question that finds these parts."""
    product = choice.words["product"]
    asked = " ".join(f"{name}={value}" for name, value in choice.words.items())
    with ui.element("div").classes("row-wrap"):
        for title, icon, step in (
            (texts.say("Calibrate again with these parts"), "straighten", "threshold"),
            (texts.say("Train again with these parts"), "school", "train"),
        ):
            words = urlencode({"step": step, "query": f"archive:{asked}"})
            target = f"/products/{quote(product, safe='')}?{words}"
            with ui.link(target=target).classes("action-link"):
                ui.icon(icon).props("aria-hidden=true")
                ui.label(title)
