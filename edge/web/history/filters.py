"""The conditions of the list: one control for each word of a question."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from edge.archive.around import Names
from edge.archive.statistics import Shifts
from edge.web.history.meanings import LABELS, code_choices
from edge.web.history.query_words import TIMES, Words, written
from edge.web.parts import WORDS
from edge.web.shifts import shift_name
from edge.web.texts import Texts, mark

TITLES = {
    "since": mark("From"),
    "until": mark("To"),
    "station": mark("Station"),
    "product": mark("Product"),
    "version": mark("Version"),
    "verdict": mark("Verdict"),
    "code": mark("Code"),
    "label": mark("Label"),
    "kind": mark("Kind of defect"),
    "score_from": mark("Score from"),
    "score_to": mark("Score to"),
    "part": mark("Part id"),
    "trigger": mark("Trigger"),
    "inspection": mark("Inspection"),
    "roi": mark("Region of interest"),
    "box": mark("Defect touches x+y+width+height"),
}
TYPED_MS = 700
FIRST = ("since", "until", "station", "product", "version", "verdict")
NUMBERS = ("score_from", "score_to", "trigger", "inspection")


class Filters:
    """The controls of a question. `changed` is called with the words after each change."""

    def __init__(
        self,
        texts: Texts,
        names: Names,
        kinds: Sequence[str],
        shifts: Shifts,
        changed: Callable[[Words], Awaitable[None]],
    ) -> None:
        self._texts, self._names, self._shifts, self._changed = texts, names, shifts, changed
        self._words: Words = {}
        self._controls: dict[str, ValueElement[Any]] = {}
        self._quiet = False
        self._choices: dict[str, list[str] | dict[str, str]] = {
            "station": list(names.stations),
            "product": list(names.versions),
            "version": [],
            "verdict": {word: texts.say(text) for word, text in WORDS.items()},
            "code": code_choices(texts),
            "label": {n: texts.say(text) for n, text in LABELS.items() if n != "withdrawn"},
            "kind": list(kinds),
        }

    def build(self) -> None:
        """Make the controls: times, names and verdict at once, the others in a fold."""
        with ui.element("div").classes("filter-quick"):
            for title, words in self._periods():
                ui.button(title, on_click=lambda w=words: self._take_period(w)).props("outline")
        with ui.element("div").classes("filters"):
            for name in FIRST:
                self._control(name)
        more = self._texts.say("More conditions")
        with ui.expansion(more).classes("filter-more") as self._more, ui.element("div") as box:
            box.classes("filters")
            for name in (name for name in TITLES if name not in FIRST):
                self._control(name)
            self.more = ui.element("div")
            ui.label(
                self._texts.say(
                    "Labels and kinds of defects are given by people, in Review and on a part's "
                    "page: a part without a look has none."
                )
            ).classes("muted")

    def _control(self, name: str) -> None:
        title = self._texts.say(TITLES[name])
        made: ValueElement[Any]
        if name in self._choices:
            made = ui.select(self._choices[name], label=title, clearable=True)
            made.on_value_change(lambda e: self._changed_to(name, e.value))
        elif name in TIMES:  # a browser says "changed" for each digit: wait for the last one
            made = ui.input(title).props(f"type=datetime-local stack-label debounce={TYPED_MS}")
            made.on_value_change(lambda e: self._changed_to(name, e.value))
        else:
            made = ui.input(title)
            made.on("keydown.enter", lambda: self._take(name, made.value))
            made.on("blur", lambda: self._take(name, made.value))
            made.props("inputmode=decimal" if name in NUMBERS else "")
        made.props("outlined dense").classes("filter")
        made.props["data-word"] = name
        self._controls[name] = made

    def show(self, words: Words) -> None:
        """Other words: those of an address."""
        self._words, self._quiet = dict(words), True
        self._offer_versions()
        for name, control in self._controls.items():
            value = words.get(name)
            choices = self._choices.get(name)
            if value is not None and choices is not None and value not in choices:
                self._offer(name, value)
            control.set_value(value if choices is not None else value or "")
        self._quiet = False
        if any(name not in FIRST for name in words):
            self._more.open()

    def _offer(self, name: str, value: str) -> None:
        """A value of an address that no list has: it stands in the field, and finds nothing."""
        choices = self._choices[name]
        control = self._controls[name]
        assert isinstance(control, ui.select)
        control.set_options(
            {**choices, value: value} if isinstance(choices, dict) else [*choices, value]
        )

    def _offer_versions(self) -> None:
        """The versions of the chosen product, or of all."""
        product = self._words.get("product")
        of = [self._names.versions.get(product, ())] if product else self._names.versions.values()
        versions = list(dict.fromkeys(version for some in of for version in some))
        self._choices["version"] = versions
        control = self._controls["version"]
        assert isinstance(control, ui.select)
        chosen = self._words.get("version")
        control.set_options([*versions, *([chosen] if chosen and chosen not in versions else [])])

    def _changed_to(self, name: str, value: object) -> Awaitable[None] | None:
        """A change by the person; None for one by show()."""
        return None if self._quiet else self._take(name, value)

    async def _take(self, name: str, value: object) -> None:
        text = "" if value is None else str(value).strip()
        if text == self._words.get(name, ""):
            return
        words = {**self._words, name: text}
        if name == "product":
            words.pop("version", None)
        await self._changed({n: words[n] for n in TITLES if words.get(n)})

    async def _take_period(self, period: Words) -> None:
        others = {n: w for n, w in self._words.items() if n not in TIMES}
        await self._changed({**period, **others})

    def _periods(self) -> list[tuple[str, Words]]:
        """Quick choices of time, as dates: an address that is sent on means the same parts."""
        say, zone = self._texts.say, self._shifts.zone
        now = datetime.now().astimezone(zone)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        yesterday = (today - timedelta(hours=12)).replace(hour=0)
        shift, name = self._shifts.begin(now)
        return [
            (
                say("This shift ({name})", name=shift_name(name, self._texts)),
                {"since": written(shift, zone)},
            ),
            (say("Today"), {"since": written(today, zone)}),
            (say("Yesterday"), {"since": written(yesterday, zone), "until": written(today, zone)}),
            (say("7 days"), {"since": written(now - timedelta(days=7), zone)}),
            (say("All times"), {}),
        ]
