"""Parts of the statistics page: numbers, and charts with the same numbers as a table."""

from collections.abc import Sequence

from nicegui import ui

from edge.web.plain_table import plain_table
from edge.web.statistics.charts import Options
from edge.web.texts import Texts


def statistics_style() -> None:
    """Link the style of these parts."""
    ui.add_head_html('<link rel="stylesheet" href="/static/statistics.css">')


def number_card(name: str, value: str) -> None:
    """One number to see first."""
    with ui.element("div").classes("number-card"):
        ui.label(name).classes("muted")
        ui.label(value).classes("number big-number")


def titled_card(title: str, classes: str = "") -> ui.element:
    """A card with a heading."""
    with ui.element("section").classes(f"card {classes}") as card, ui.element("h2"):
        ui.label(title)
    return card


def chart_card(
    texts: Texts,
    title: str,
    options: Options,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: int,
    about: str = "",
) -> ui.element:
    """A chart; a button shows its numbers as a table instead."""
    as_table, as_chart = texts.say("As a table"), texts.say("As a chart")
    described = texts.say("{title}: a chart, whose numbers the table has", title=title)
    with ui.element("section").classes("card chart-card") as card:
        with ui.element("div").classes("chart-head"):
            with ui.element("h2"):
                ui.label(title)
            button = ui.button(as_table, icon="table_rows").props("flat no-caps")
            button.classes("no-print")
            button.props["aria-label"] = f"{as_table}: {title}"
        if about:
            ui.label(about).classes("muted")
        chart = ui.echart(options, renderer="svg").classes("chart")
        chart.props["role"] = "img"
        chart.props["aria-label"] = described
        holder = ui.element("div").classes("chart-table")
        holder.visible = False

    def turn() -> None:
        is_table = chart.visible
        if is_table and not holder.default_slot.children:
            with holder:
                plain_table(title, columns, rows, numbers)
        chart.visible, holder.visible = not is_table, is_table
        text = as_chart if is_table else as_table
        button.text = text
        button.props["aria-label"] = f"{text}: {title}"
        button.props["icon"] = "bar_chart" if is_table else "table_rows"

    button.on_click(turn)
    return card
