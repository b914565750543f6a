"""Questions to a person before something is changed."""

from collections.abc import Callable
from typing import NamedTuple

from nicegui import ui

from edge.web.accounts.accounts import LEAST_PASSWORD, MOST_PASSWORD
from edge.web.viewer import Viewer


async def confirm(viewer: Viewer, question: str, do: str) -> bool:
    """Whether the person presses the button `do`."""
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(question).props("role=heading aria-level=2").classes("dialog-title")
        _buttons(viewer, dialog, do, lambda: dialog.submit(True))
    return await dialog is True


class NewPassword(NamedTuple):
    """A new password, and the present one where it was asked for."""

    new: str
    present: str


async def ask_password(
    viewer: Viewer, question: str, do: str, *, present: bool = False
) -> NewPassword | None:
    """A new password, written twice, and the `present` one; None if the person gives none."""
    say = viewer.texts.say
    lengths = {"least": LEAST_PASSWORD, "most": MOST_PASSWORD}
    rule = say("{least} to {most} characters", **lengths)
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(question).props("role=heading aria-level=2").classes("dialog-title")
        old = ui.input(say("Present password"), password=True).classes("dialog-field")
        old.props("autocomplete=current-password").visible = present
        first = ui.input(
            say("New password"),
            password=True,
            validation={rule: lambda v: LEAST_PASSWORD <= len(v or "") <= MOST_PASSWORD},
        )
        again = ui.input(
            say("The same again"),
            password=True,
            validation={say("The two differ"): lambda v: v == first.value},
        )
        for field in (first, again):
            field.props("autocomplete=new-password").classes("dialog-field")

        def done() -> None:
            if first.validate() and again.validate():
                dialog.submit(NewPassword(first.value, old.value))

        again.on("keydown.enter", done)
        _buttons(viewer, dialog, do, done)
    answer = await dialog
    return answer if isinstance(answer, NewPassword) else None


def _buttons(viewer: Viewer, dialog: ui.dialog, do: str, done: Callable[[], None]) -> None:
    with ui.row().classes("dialog-buttons"):
        ui.button(viewer.texts.say("Cancel"), on_click=dialog.close).props("flat")
        ui.button(do, on_click=done)
