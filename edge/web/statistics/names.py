"""Groups and rules in words."""

from datetime import datetime

from edge.archive.control_chart import RULES
from edge.archive.statistics import By
from edge.web.shifts import shift_name
from edge.web.texts import Texts, mark

PERIODS = {
    "today": mark("Today"),
    "shift": mark("This shift"),
    "last-shift": mark("Last shift"),
    "week": mark("7 days"),
    "month": mark("30 days"),
    "range": mark("From day to day"),
}
GROUPINGS = {
    "hour": mark("Hour"),
    "day": mark("Day"),
    "shift": mark("Shift"),
    "station": mark("Station"),
    "product": mark("Product"),
    "version": mark("Version"),
}
BROKEN = (
    mark("one period lies beyond three standard deviations"),
    mark("two of three periods in a row lie beyond two standard deviations on one side"),
    mark("four of five periods in a row lie beyond one standard deviation on one side"),
    mark("eight periods in a row lie on one side of the mean"),
)
assert len(BROKEN) == len(RULES)


def group_name(by: By, group: str, texts: Texts) -> str:
    """A group of the archive's statistics as people write it."""
    try:
        if by == "hour":
            return texts.moment(datetime.strptime(group, "%Y-%m-%d %H:%M%z"), seconds=False)
        if by in ("day", "shift"):
            day, _, name = group.partition(" ")
            shown = texts.day(datetime.strptime(day, "%Y-%m-%d").date())
            return f"{shown} {shift_name(name, texts)}".strip()
    except ValueError:
        return group
    return group


def rules_said(broken: tuple[int, ...], texts: Texts) -> str:
    """The rules that a period breaks, in words."""
    said = [
        texts.say("{rule} (rule {number})", rule=texts.say(BROKEN[n - 1]), number=n) for n in broken
    ]
    return "; ".join(said)
