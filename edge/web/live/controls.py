"""Pause, resume and change of product, for operators: confirmed, with a reason, on record."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.events.control_messages import ChangeStatus
from edge.web.accounts.roles import Role
from edge.web.dialogs import ReasonDialog
from edge.web.live.changes import change_product, change_state
from edge.web.live.live_station import LiveStation
from edge.web.live.product_choice import ProductChoice
from edge.web.page import guarded
from edge.web.texts import Texts
from edge.web.viewer import Viewer


class Controls:
    """What is judged and how a change of it goes on, for all; buttons, for operators."""

    def __init__(self, station: LiveStation, viewer: Viewer) -> None:
        self._station, self._viewer = station, viewer
        with ui.element("section").classes("card live-controls"):
            with ui.element("h2"):
                ui.label(station.name)
            self._product = ui.label().classes("number live-product")
            self._change = ui.label()
            self._buttons = ui.element("div").classes("row-wrap no-print")
        if viewer.may(Role.OPERATOR):
            self._offer(viewer.texts)

    def _offer(self, texts: Texts) -> None:
        say, viewer = texts.say, self._viewer
        pausing = ReasonDialog(
            viewer, say("Pause the line?"),
            say("No part is judged until somebody resumes; each is without a verdict."),
            say("Pause"), self._do_pause,
        )  # fmt: skip
        resuming = ReasonDialog(
            viewer, say("Resume the line?"), say("Parts are judged again."), say("Resume"),
            self._do_resume,
        )  # fmt: skip
        switching = ReasonDialog(
            viewer, say("Change the product?"),
            say("The line goes on with its product until the other one is loaded and verified."),
            say("Change product"), self._do_switch,
        )  # fmt: skip
        with switching.content:
            self._choice = ProductChoice(self._station.addresses, texts)

        async def choose() -> None:
            await self._choice.refresh()
            await switching.open()

        with self._buttons:
            self._pause = self._button("pause", say("Pause"), pausing.open)
            self._resume = self._button("play_arrow", say("Resume"), resuming.open)
            self._switch = self._button("swap_horiz", say("Change product"), choose)

    def _button(self, icon: str, text: str, ask: Callable[[], Awaitable[None]]) -> ui.button:
        button = ui.button(text, icon=icon)
        button.on_click(guarded(self._viewer, ask))
        return button

    def draw(self) -> None:
        """Show what is judged, the last change, and the buttons that have an effect now."""
        say, state = self._viewer.texts.say, self._station.state()
        answers = self._station.health.answers
        change = answers.product.change if answers.product else ChangeStatus()
        self._product.text = (
            say("{product}, version {version}", product=state.product, version=state.version)
            if state.product else say("not known")
        )  # fmt: skip
        self._change.text = change_text(change, self._viewer.texts)
        self._change.visible = bool(self._change.text)
        if self._viewer.may(Role.OPERATOR):
            health = answers.health
            is_paused = health is not None and health.state == "paused"
            self._resume.visible, self._pause.visible = is_paused, not is_paused
            self._pause.enabled = self._resume.enabled = health is not None
            self._switch.enabled = health is not None and change.state != "loading"

    async def _do_pause(self, reason: str) -> None:
        await change_state(self._viewer, self._station.feed, "pause", reason)

    async def _do_resume(self, reason: str) -> None:
        await change_state(self._viewer, self._station.feed, "resume", reason)

    async def _do_switch(self, reason: str) -> None:
        name, version = self._choice.chosen()
        await change_product(self._viewer, self._station.feed, name, version, reason)


def change_text(change: ChangeStatus, texts: Texts) -> str:
    """The last change of product in words; empty where there was none."""
    say, name = texts.say, f"{change.product} {change.version or ''}".strip()
    if change.state == "loading":
        return say(
            "Change to {product}: it is loaded and verified, the line goes on.", product=name
        )
    if change.state == "failed":
        return say("Change to {product} failed: {message}", product=name, message=change.message)
    if change.state == "done":
        return say("Changed to {product}. {message}", product=name, message=change.message).strip()
    return ""
