"""The form for a new webhook."""

from nicegui import ui

from edge.web.accounts.roles import Role
from edge.web.background import Background
from edge.web.page import guarded
from edge.web.secret_dialog import show_secret
from edge.web.viewer import Viewer
from edge.web.webhooks.addresses import resolve
from edge.web.webhooks.hooks import EVENTS, MOST_OF, NewHook


class HookForm:
    """What an administrator registers."""

    def __init__(self, background: Background, viewer: Viewer) -> None:
        self._background, self._viewer = background, viewer
        say = viewer.texts.say
        self._url = ui.input(say("Address")).props('outlined placeholder="https://"')
        self._url.classes("dialog-field")
        self._local = ui.checkbox(say("in the plant's own network (private address, also http)"))
        self._events = {event: ui.checkbox(say(text)) for event, text in EVENTS.items()}
        with ui.element("div").classes("row-wrap"):
            self._ng = ui.number(
                say("Many are so many NG"), value=5, min=1, max=MOST_OF, precision=0
            )
            self._of = ui.number(say("of so many parts"), value=20, min=1, max=MOST_OF, precision=0)
            for field in (self._ng, self._of):
                field.classes("row-choice")
        ui.button(say("Add"), on_click=guarded(viewer, self._add)).classes("self-start")

    async def _add(self) -> None:
        new = NewHook(
            self._url.value or "",
            [event for event, box in self._events.items() if box.value],
            is_local=self._local.value,
            ng=int(self._ng.value or 0),
            of=int(self._of.value or 0),
        )

        def add() -> str:
            resolve(new.url, is_local=new.is_local)
            return self._background.hooks.add(new, self._viewer.account.name)

        secret = await self._viewer.change(
            Role.ADMINISTRATOR, "webhook added", new.name, add, new=" ".join(new.events)
        )
        self._background.look_soon()
        say = self._viewer.texts.say
        await show_secret(
            self._viewer,
            say("The secret with which messages are signed"),
            say("The receiver needs it (Standard Webhooks). It is shown this once."),
            secret,
        )
        ui.navigate.reload()
