"""A plain table of texts."""

from collections.abc import Sequence

from nicegui import ui


def data_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, present: int | None = None
) -> None:
    """A table with a line of titles; `present` is the row to stress."""
    scroll = ui.element("div").classes("table-scroll").props("tabindex=0")
    with scroll, ui.element("table").classes("data-table"):
        with ui.element("thead"), ui.element("tr"):
            for title in titles:
                with ui.element("th").props("scope=col"):
                    ui.label(title)
        with ui.element("tbody"):
            for number, row in enumerate(rows):
                with ui.element("tr").classes("is-present" if number == present else ""):
                    for text in row:
                        with ui.element("td"):
                            ui.label(text)
