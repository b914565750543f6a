"""A question before a change: what will happen, and the reason, which must be given."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.base.person import LONGEST_REASON
from edge.web.page import guarded
from edge.web.viewer import Viewer


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
        with ui.dialog().props("persistent") as self._dialog, ui.element("div").classes("card"):
            self._dialog.props["aria-label"] = title
            with ui.element("h2"):
                ui.label(title)
            ui.label(text)
            self.content = ui.element("div").classes("live-choice")
            self._reason = ui.input(say("Reason")).props(f"outlined maxlength={LONGEST_REASON}")
            self._reason.on_value_change(self._allow)
            with ui.element("div").classes("row-wrap"):
                ui.space()
                cancel = ui.button(say("Cancel"), on_click=self._dialog.close, color=None)
                cancel.props("unelevated no-caps").classes("live-second")
                self._confirm = ui.button(confirm, color=None).props("unelevated no-caps")
                self._confirm.classes("live-main")
                self._confirm.on_click(guarded(viewer, self._confirmed))
        self._allow()

    async def open(self) -> None:
        """Ask, with an empty reason."""
        self._reason.value = ""
        self._dialog.open()

    def _allow(self) -> None:
        self._confirm.enabled = bool((self._reason.value or "").strip())

    async def _confirmed(self) -> None:
        reason = (self._reason.value or "").strip()[:LONGEST_REASON]
        if not reason:
            return
        self._confirm.enabled = False
        try:
            await self._do(reason)
        finally:
            self._allow()
        self._dialog.close()
