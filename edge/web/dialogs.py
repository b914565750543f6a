"""Questions to a person before something is changed."""

from collections.abc import Callable

from nicegui import ui

from edge.web.accounts.accounts import LEAST_PASSWORD, MOST_PASSWORD
from edge.web.viewer import Viewer

LONGEST_REASON = 200


async def confirm(viewer: Viewer, question: str, do: str) -> bool:
    """Whether the person presses the button `do`."""
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(question).props("role=heading aria-level=2").classes("dialog-title")
        _buttons(viewer, dialog, do, lambda: dialog.submit(True))
    return await dialog is True


async def ask_reason(viewer: Viewer, question: str, do: str) -> str | None:
    """Why the person does it; None if they do not."""
    say = viewer.texts.say
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(question).props("role=heading aria-level=2").classes("dialog-title")
        reason = ui.input(say("Reason"), validation={say("Please say why"): bool})
        reason.props(f"autofocus maxlength={LONGEST_REASON}").classes("dialog-field")

        def done() -> None:
            if reason.validate():
                dialog.submit(reason.value.strip())

        reason.on("keydown.enter", done)
        _buttons(viewer, dialog, do, done)
    answer = await dialog
    return answer if isinstance(answer, str) and answer else None


async def ask_password(viewer: Viewer, question: str, do: str) -> str | None:
    """A new password, written twice; None if the person does not give one."""
    say = viewer.texts.say
    lengths = {"least": LEAST_PASSWORD, "most": MOST_PASSWORD}
    rule = say("{least} to {most} characters", **lengths)
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(question).props("role=heading aria-level=2").classes("dialog-title")
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
                dialog.submit(first.value)

        again.on("keydown.enter", done)
        _buttons(viewer, dialog, do, done)
    answer = await dialog
    return answer if isinstance(answer, str) else None


def _buttons(viewer: Viewer, dialog: ui.dialog, do: str, done: Callable[[], None]) -> None:
    with ui.row().classes("dialog-buttons"):
        ui.button(viewer.texts.say("Cancel"), on_click=dialog.close).props("flat")
        ui.button(do, on_click=done)
