"""What is chosen on the statistics page: each choice is an address of its own."""

from collections.abc import Callable, Mapping, Sequence

from nicegui import ui

from edge.archive.around import Names
from edge.web.statistics.choice import Choice
from edge.web.statistics.names import GROUPINGS, PERIODS
from edge.web.texts import Texts


def controls(texts: Texts, choice: Choice, known: Names) -> None:
    """Period, grouping and filters in a row."""
    say = texts.say
    versions = sorted({one for of in known.versions.values() for one in of})
    with ui.element("section").classes("card no-print"):
        with ui.element("div").classes("row-wrap choices"):
            periods = {name: say(text) for name, text in PERIODS.items()}
            _select(
                say("Period"), periods, choice.period, lambda v: choice.address(period=v, by=None)
            )
            groupings = {name: say(text) for name, text in GROUPINGS.items()}
            _select(say("By"), groupings, choice.grouping, lambda v: choice.address(by=v))
            _names(say("Station"), say("all"), known.stations, choice.station,
                   lambda v: choice.address(station=v))  # fmt: skip
            _names(say("Product"), say("all"), list(known.versions), choice.product,
                   lambda v: choice.address(product=v))  # fmt: skip
            _names(say("Version"), say("all"), versions, choice.version,
                   lambda v: choice.address(version=v))  # fmt: skip
        if choice.period == "range":
            _days(texts, choice)


def _select(
    label: str, options: Mapping[str, str], value: str, address: Callable[[str], str]
) -> None:
    ui.select(
        dict(options),
        value=value,
        label=label,
        on_change=lambda event: ui.navigate.to(address(event.value)),
    ).props("outlined options-dense").classes("choice")


def _names(
    label: str, all_of_them: str, names: Sequence[str], value: str | None,
    address: Callable[[str], str],
) -> None:  # fmt: skip
    """A filter; a name in the address that the archive does not know is shown too."""
    options = {"": all_of_them} | {name: name for name in names}
    if value is not None:
        options.setdefault(value, value)
    _select(label, options, value or "", address)


def _days(texts: Texts, choice: Choice) -> None:
    say = texts.say

    def show() -> None:
        ui.navigate.to(choice.address(since=since.value, until=until.value))

    with ui.element("div").classes("row-wrap choices"):
        since = _day(say("From day"), str(choice.since or ""))
        until = _day(say("To (included)"), str(choice.until or ""))
        ui.button(say("Show"), on_click=show)


def _day(label: str, value: str) -> ui.input:
    return ui.input(label, value=value).props("type=date outlined stack-label").classes("choice")
