"""The controls of a review: which parts, for which reasons, first or second review."""

from collections.abc import Callable
from dataclasses import replace

from nicegui import ui

from edge.archive.around import Names
from edge.archive.review_queue import Why
from edge.web.history.filters import TITLES
from edge.web.review.choice import ONE_IN, PERIODS, REASONS, Choice
from edge.web.texts import Texts

Go = Callable[[Choice], None]


def choice_card(texts: Texts, choice: Choice, names: Names, path: str) -> None:
    """Which labelled parts a page speaks of; each change opens its address with the new choice."""
    with ui.element("section").classes("card"):
        _names(texts, choice, names, lambda new: ui.navigate.to(new.address(path)))


def queue_card(texts: Texts, choice: Choice, names: Names, *, is_open: bool) -> None:
    """Which parts wait in the queue, folded while there are some."""
    say = texts.say

    def go(new: Choice) -> None:
        ui.navigate.to(new.address())

    with ui.expansion(say("Which parts"), value=is_open).classes("card filter-more"):
        _names(texts, choice, names, go)
        with ui.element("div").classes("row-wrap"):
            if not choice.is_second:
                for why, text in REASONS.items():
                    _reason(say(text), choice, why, go)
                _one_in(texts, choice, go)
            ui.switch(
                say("Second review: parts that others have labelled"),
                value=choice.is_second,
                on_change=lambda e: go(replace(choice, is_second=e.value)),
            )


def _names(texts: Texts, choice: Choice, names: Names, go: Go) -> None:
    with ui.element("div").classes("filters"):
        versions = list(names.versions.get(choice.words.get("product", ""), ()))
        _name(texts, choice, "product", list(names.versions), go)
        _name(texts, choice, "version", versions, go)
        _name(texts, choice, "station", list(names.stations), go)
        _since(texts, choice, go)


def _name(texts: Texts, choice: Choice, name: str, options: list[str], go: Go) -> None:
    now = choice.words.get(name)
    offered = options if now is None or now in options else [*options, now]

    def change(value: str | None) -> None:
        words = {n: text for n, text in choice.words.items() if n != name}
        if name == "product":
            words.pop("version", None)
        go(replace(choice, words={**words, name: value} if value else words))

    made = ui.select(offered, label=texts.say(TITLES[name]), value=now, clearable=True)
    made.on_value_change(lambda e: change(e.value)).props("outlined dense").classes("filter")


def _since(texts: Texts, choice: Choice, go: Go) -> None:
    now = choice.words["since"]
    options = {period: texts.say(text) for period, text in PERIODS.items()}
    options.setdefault(now, now)
    made = ui.select(options, label=texts.say("Since"), value=now)
    made.on_value_change(lambda e: go(replace(choice, words={**choice.words, "since": e.value})))
    made.props("outlined dense").classes("filter")


def _reason(title: str, choice: Choice, why: Why, go: Go) -> None:
    def change(is_wanted: bool) -> None:
        reasons = tuple(
            one for one in REASONS if (is_wanted if one == why else one in choice.reasons)
        )
        go(replace(choice, reasons=reasons or tuple(REASONS)))

    ui.checkbox(title, value=why in choice.reasons, on_change=lambda e: change(e.value))


def _one_in(texts: Texts, choice: Choice, go: Go) -> None:
    rates = sorted({*ONE_IN, choice.ok_one_in})
    options = {rate: texts.say("one OK part in {rate}", rate=rate) for rate in rates}
    made = ui.select(options, label=texts.say("Sample"), value=choice.ok_one_in)
    made.on_value_change(lambda e: go(replace(choice, ok_one_in=e.value)))
    made.props("outlined dense").classes("kind-choice")
