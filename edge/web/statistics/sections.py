"""The sections of the statistics page, each a chart with its table."""

from collections.abc import Callable, Sequence
from functools import partial

from nicegui import ui

from edge.web.codes import cause
from edge.web.history.meanings import label_text
from edge.web.report.tables import count_cells, count_columns
from edge.web.statistics import charts
from edge.web.statistics.choice import Choice
from edge.web.statistics.names import GROUPINGS, group_name, rules_said
from edge.web.statistics.numbers import Numbers
from edge.web.statistics.parts import chart_card, titled_card
from edge.web.texts import Texts

MOST_SAID = 12
MOST_BARS = 15
Counted = Sequence[tuple[str, int]]


def control_section(texts: Texts, choice: Choice, numbers: Numbers) -> None:
    """The p-chart, and the periods that break a rule in words."""
    say = texts.say
    names = [group_name(choice.every, one.group, texts) for one in numbers.periods]
    columns = [
        say(GROUPINGS[choice.every]), *count_columns(texts), say("Lower limit"),
        say("Upper limit"), say("Broken rules"),
    ]  # fmt: skip
    rows = [
        [name, *count_cells(one, texts), texts.percent(point.lower, 2),
         texts.percent(point.upper, 2), ", ".join(map(str, point.broken)) or "-"]
        for name, one, point in zip(names, numbers.periods, numbers.points, strict=True)
    ]  # fmt: skip
    options = charts.control_chart(names, numbers.points, numbers.mean, texts)
    about = say("Mean {mean}; limits of three standard deviations for each period's number of "
                "parts.", mean=texts.percent(numbers.mean, 2))  # fmt: skip
    title = say("Control chart of the NG rate")
    with chart_card(texts, title, options, columns, rows, 10, about).classes("wide"):
        _broken(texts, names, numbers)


def _broken(texts: Texts, names: list[str], numbers: Numbers) -> None:
    say = texts.say
    broken = [
        (name, point.broken)
        for name, point in zip(names, numbers.points, strict=True)
        if point.broken
    ]
    if not broken:
        text = say("No rule is broken: the rate varies as chance alone lets it.")
        ui.label(text).classes("state-good")
        return
    text = say("More than chance: look for what changed in these periods (triangles).")
    ui.label(text).classes("state-bad")
    with ui.element("ul").classes("rules"):
        for name, rules in broken[-MOST_SAID:][::-1]:
            with ui.element("li"):
                ui.label(f"{name}: {rules_said(rules, texts)}")
    if len(broken) > MOST_SAID:
        ui.label(say("Only the last ones are shown; the table has all.")).classes("muted")


def groups_section(texts: Texts, choice: Choice, numbers: Numbers) -> None:
    """The NG rate by station, product or version, where the grouping is one of these."""
    if not numbers.groups:
        return
    say, by = texts.say, texts.say(GROUPINGS[choice.grouping])
    names = [one.group for one in numbers.groups]
    rows = [[one.group, *count_cells(one, texts)] for one in numbers.groups]
    options = charts.rates(names, numbers.groups, texts)
    title = say("NG rate by: {group}", group=by)
    chart_card(texts, title, options, [by, *count_columns(texts)], rows, 7).classes("wide")


def scores_section(texts: Texts, numbers: Numbers) -> None:
    """The distribution of scores against the threshold."""
    say = texts.say
    if not numbers.scores:
        return
    rows = [[texts.number(part, 3), texts.number(count)] for part, count in numbers.scores]
    options = charts.scores(numbers.scores, texts)
    columns = [say("From score / threshold on"), say("Parts")]
    about = say("In whole hours. From 1 on a part is NG.")
    chart_card(texts, say("Scores against the threshold"), options, columns, rows, 2, about)


def levels_section(texts: Texts, choice: Choice, numbers: Numbers) -> None:
    """How the scores move over time."""
    say = texts.say
    if not numbers.levels:
        return
    names = [group_name(choice.every, one.group, texts) for one in numbers.levels]
    rows = [
        [name, texts.number(one.parts), *(texts.number(v, 3) for v in (one.lower, one.median,
         one.upper))]
        for name, one in zip(names, numbers.levels, strict=True)
    ]  # fmt: skip
    columns = [
        say(GROUPINGS[choice.every]), say("Parts"), say("A quarter is below"), say("Median"),
        say("A quarter is above"),
    ]  # fmt: skip
    options = charts.levels(names, numbers.levels, texts)
    about = say("A median that creeps towards 1 announces false rejects: check light and lens.")
    chart_card(texts, say("Scores over time"), options, columns, rows, 4, about)


def pareto_sections(texts: Texts, numbers: Numbers) -> None:
    """Codes, kinds and labels."""
    say = texts.say
    everywhere = say("Of all stations and products, by the time of the label.")
    for title, found, about in (
        (say("Reasons without verdict"), said(numbers.codes, partial(cause, texts)), ""),
        (say("Kinds of labelled defects"), numbers.kinds, everywhere),
        (say("Labels"), said(numbers.labels, partial(label_text, texts)), everywhere),
    ):
        columns = [say("What"), say("Number")]
        rows = [[name, texts.number(count)] for name, count in found]
        if found:
            options = charts.pareto(found[:MOST_BARS], texts)
            chart_card(texts, title, options, columns, rows, 1, about)
        else:
            with titled_card(title, "chart-card"):
                ui.label(say("None in this period.")).classes("muted")


def said(found: Counted, word: Callable[[str], str]) -> Counted:
    """Counts by what the archive's names mean to the reader."""
    return [(word(name), count) for name, count in found]
