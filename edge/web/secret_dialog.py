"""A secret that is shown once."""

from nicegui import ui

from edge.web.dialogs import titled_dialog
from edge.web.viewer import Viewer


async def show_secret(viewer: Viewer, title: str, about: str, secret: str) -> None:
    """Until the person says that they have it."""
    say = viewer.texts.say
    with titled_dialog(title, persistent=True) as dialog:
        ui.label(about)
        field = ui.input(say("Secret"), value=secret).props("readonly outlined")
        field.classes("dialog-field number")
        with ui.row().classes("dialog-buttons"):
            ui.button(say("I have copied it"), on_click=dialog.close)
    await dialog
