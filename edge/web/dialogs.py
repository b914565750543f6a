"""Questions to a person before something is changed."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from nicegui import ui

from edge.base.person import LONGEST_REASON
from edge.web.accounts.accounts import LEAST_PASSWORD, MOST_PASSWORD
from edge.web.attributes import attributes
from edge.web.page import guarded
from edge.web.texts import Texts
from edge.web.viewer import Viewer


@contextmanager
def titled_dialog(title: str, *, persistent: bool = False) -> Iterator[ui.dialog]:
    """A dialog with its heading; what is made inside follows it.

    A `persistent` one does not close when somebody touches the page beside it.
    """
    with attributes(ui.dialog(), aria_label=title) as dialog, ui.card().classes("dialog"):
        dialog.props(add="persistent" if persistent else "")
        ui.label(title).props("role=heading aria-level=2").classes("dialog-title")
        yield dialog


async def confirm(viewer: Viewer, question: str, do: str, about: Sequence[str] = ()) -> bool:
    """Whether the person presses the button `do`; `about` says what will happen, line by line."""
    with titled_dialog(question) as dialog:
        for line in about:
            ui.label(line)
        dialog_buttons(viewer, dialog, do, lambda: dialog.submit(True))
    return await dialog is True


class ReasonDialog:
    """A question before a change of a line: what will happen, and the reason, which must be given.

    Made once and opened again; `do` gets the reason. What it raises keeps the dialog open.
    """

    def __init__(
        self,
        viewer: Viewer,
        question: str,
        about: str,
        do: str,
        act: Callable[[str], Awaitable[None]],
    ) -> None:
        self._act = act
        with titled_dialog(question, persistent=True) as self._dialog:
            ui.label(about)
            self.content = ui.element("div").classes("dialog-content")
            self._reason = ui.input(viewer.texts.say("Reason")).classes("dialog-field")
            self._reason.props(f"outlined maxlength={LONGEST_REASON}")
            self._reason.on_value_change(self._allow)
            self._do = dialog_buttons(viewer, self._dialog, do, guarded(viewer, self._done))
        self._allow()

    async def open(self) -> None:
        """Ask, with an empty reason."""
        self._reason.value = ""
        self._dialog.open()

    def _allow(self) -> None:
        self._do.enabled = bool((self._reason.value or "").strip())

    async def _done(self) -> None:
        reason = (self._reason.value or "").strip()[:LONGEST_REASON]
        if not reason:
            return
        self._do.enabled = False
        try:
            await self._act(reason)
        finally:
            self._allow()
        self._dialog.close()


class NewPassword(NamedTuple):
    """A new password, and the present one where it was asked for."""

    new: str
    present: str


def password_rule(texts: Texts) -> str:
    """What a password must be, said before somebody writes one."""
    return texts.say("{least} to {most} characters", least=LEAST_PASSWORD, most=MOST_PASSWORD)


async def ask_password(
    viewer: Viewer, question: str, do: str, *, present: bool = False
) -> NewPassword | None:
    """A new password, written twice, and the `present` one; None if the person gives none."""
    say = viewer.texts.say
    rule = password_rule(viewer.texts)
    with titled_dialog(question) as dialog:
        old = ui.input(say("Present password"), password=True).classes("dialog-field")
        old.props("autocomplete=current-password").visible = present
        first = ui.input(
            say("New password"),
            password=True,
            validation={rule: lambda v: LEAST_PASSWORD <= len(v or "") <= MOST_PASSWORD},
        )
        first.props["hint"] = rule
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
        dialog_buttons(viewer, dialog, do, done)
    answer = await dialog
    return answer if isinstance(answer, NewPassword) else None


def dialog_buttons(
    viewer: Viewer, dialog: ui.dialog, do: str, done: Callable[[], object]
) -> ui.button:
    """Cancel, and the button that does it, which is returned."""
    with ui.row().classes("dialog-buttons"):
        ui.button(viewer.texts.say("Cancel"), on_click=dialog.close).props("flat")
        return ui.button(do, on_click=done)
