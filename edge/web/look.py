"""One look in all rooms: what the fields and buttons of the library begin with."""

from nicegui import ui


def set_look() -> None:
    """Call it once, before pages are built."""
    for field in (ui.input, ui.number, ui.select, ui.textarea):
        field.default_props("outlined")
    ui.button.default_props("unelevated no-caps")
