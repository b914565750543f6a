"""A question before a change: what will happen, and the reason, which must be given."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.web.page import guarded
from edge.web.viewer import Viewer

LONGEST = 300


class ReasonDialog:
    """Made once and opened again; `do` gets the reason. What it raises keeps the dialog open."""

    def __init__(
        self,
        viewer: Viewer,
        title: str,
        text: str,
        confirm: str,
        do: Callable[[str], Awaitable[None]],
    ) -> None:
        say, self._do = viewer.texts.say, do
        with ui.dialog().props("persistent") as self._dialog, ui.card().classes("dialog"):
            self._dialog.props["aria-label"] = title
            ui.label(title).props("role=heading aria-level=2").classes("dialog-title")
            ui.label(text)
            self.content = ui.element("div").classes("live-choice")
            self._reason = ui.input(say("Reason")).props(f"maxlength={LONGEST}")
            self._reason.classes("dialog-field")
            self._reason.on_value_change(self._allow)
            with ui.row().classes("dialog-buttons"):
                ui.button(say("Cancel"), on_click=self._dialog.close).props("flat")
                self._confirm = ui.button(confirm)
                self._confirm.on_click(guarded(viewer, self._confirmed))
        self._allow()

    async def open(self) -> None:
        """Ask, with an empty reason."""
        self._reason.value = ""
        self._dialog.open()

    def _allow(self) -> None:
        self._confirm.enabled = bool((self._reason.value or "").strip())

    async def _confirmed(self) -> None:
        reason = (self._reason.value or "").strip()[:LONGEST]
        if not reason:
            return
        self._confirm.enabled = False
        try:
            await self._do(reason)
        finally:
            self._allow()
        self._dialog.close()
