"""A plain HTML table: read well by screen readers, printed well, scrolled sideways on a phone."""

from collections.abc import Iterable, Sequence

from nicegui import ui


def plain_table(name: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> ui.element:
    """Texts in rows; `name` says to screen readers what the table has."""
    box = ui.element("div").classes("table-scroll").props("tabindex=0 role=region")
    box.props["aria-label"] = name
    with box, ui.element("table").classes("plain-table"):
        with ui.element("thead"), ui.element("tr"):
            for heading in headings:
                with ui.element("th").props("scope=col"):
                    ui.label(heading)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for cell in row:
                        with ui.element("td"):
                            ui.label(cell)
    return box
