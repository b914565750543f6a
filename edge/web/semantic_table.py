"""A table that screen readers read as one."""

from collections.abc import Sequence

from nicegui import ui


def semantic_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0
) -> ui.element:
    """A <table> of texts; so many columns from the right are numbers."""
    first_number = len(columns) - numbers
    box = ui.element("div").classes("table-scroll").props("tabindex=0 role=group")
    with box, ui.element("table").classes("table"):
        with ui.element("thead"), ui.element("tr"):
            for i, column in enumerate(columns):
                _cell("th", column, i >= first_number).props("scope=col")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for i, cell in enumerate(row):
                        _cell("td", cell, i >= first_number)
    return box


def _cell(tag: str, text: str, is_number: bool) -> ui.element:
    with ui.element(tag) as cell:
        ui.label(text)
    return cell.classes("number right" if is_number else "")
