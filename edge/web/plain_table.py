"""A plain HTML table: read well by screen readers, printed well, scrolled sideways on a phone."""

from collections.abc import Iterable, Sequence

from nicegui import ui


def plain_table(
    name: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: int = 0,
    present: int | None = None,
) -> ui.element:
    """Texts in rows; `name` says to screen readers what the table has.

    So many columns from the right are numbers; `present` is the row to stress.
    """
    first_number = len(headings) - numbers
    classes = ["number-cell" if i >= first_number else "" for i in range(len(headings))]
    box = ui.element("div").classes("table-scroll").props("tabindex=0 role=region")
    box.props["aria-label"] = name
    with box, ui.element("table").classes("plain-table"):
        with ui.element("thead"), ui.element("tr"):
            for heading, kind in zip(headings, classes, strict=True):
                with ui.element("th").props("scope=col").classes(kind):
                    ui.label(heading)
        with ui.element("tbody"):
            for number, row in enumerate(rows):
                with ui.element("tr").classes("is-present" if number == present else ""):
                    for cell, kind in zip(row, classes, strict=True):
                        with ui.element("td").classes(kind):
                            ui.label(cell)
    return box
