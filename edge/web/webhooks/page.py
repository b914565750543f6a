"""/webhooks: registered addresses, what was sent to them, and what failed."""

from datetime import UTC, datetime

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.web.accounts.roles import Role
from edge.web.background import Background
from edge.web.dialogs import confirm
from edge.web.page import Room, add_page, guarded
from edge.web.plain_table import plain_table
from edge.web.shell import show_error
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer
from edge.web.webhooks.form import HookForm
from edge.web.webhooks.hooks import EVENTS, TEST, Hook
from edge.web.webhooks.queue import Delivery, Message

ADMINISTRATOR = Role.ADMINISTRATOR
STATES = {"waiting": mark("waiting"), "sent": mark("sent"), "failed": mark("failed")}


def add_webhooks(site: Site, background: Background) -> None:
    """The page for administrators."""

    async def build(viewer: Viewer, request: Request) -> None:
        say = viewer.texts.say
        hooks = await run_in_threadpool(background.hooks.all)
        deliveries = await run_in_threadpool(background.queue.newest)
        if background.error:
            show_error(background.error)
        for one in hooks:
            if one.disabled:
                show_error(say("{url} is disabled: {why}", url=one.url, why=one.disabled))
        if not hooks:
            ui.label(say("No address is registered yet.")).classes("card muted")
        listed = ui.element("ul").classes("card rows")
        listed.visible = bool(hooks)
        with listed:
            for one in hooks:
                with ui.element("li"):
                    _Row(background, viewer, one)
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(say("New webhook"))
            HookForm(background, viewer)
        _log(viewer, hooks, deliveries)

    room = Room("/webhooks", mark("Webhooks"), ADMINISTRATOR, "webhook", in_menu=True)
    add_page(site, room, build)


class _Row:
    """A hook and what can be done with it."""

    def __init__(self, background: Background, viewer: Viewer, one: Hook) -> None:
        self._background, self._viewer, self._one = background, viewer, one
        say = viewer.texts.say
        ui.label(one.url).classes("row-name")
        words = [say(EVENTS[event]) for event in one.events]
        if "station.ng_series" in one.events:
            words.append(say("{ng} NG of {of} parts", ng=one.ng, of=one.of))
        ui.label(", ".join(words)).classes("muted")
        ui.label(one.id).classes("muted number")  # by which the audit trail and the log name it
        ui.label(self._state()).classes(
            "state-bad" if one.disabled or one.failing_since else "state-good"
        )
        with ui.element("div").classes("row-wrap"):
            actions = [(say("Send a test"), self._test), (say("Remove"), self._remove)]
            if one.disabled:
                actions.insert(0, (say("Enable again"), self._enable))
            for text, do in actions:
                button = ui.button(text, on_click=guarded(viewer, do)).props("outline")
                button.props["aria-label"] = f"{text} {one.url}"

    def _state(self) -> str:
        say, one = self._viewer.texts.say, self._one
        if one.disabled:
            return say("disabled: {why}", why=one.disabled)
        if one.failing_since:
            since = datetime.fromtimestamp(one.failing_since, UTC)
            moment = self._viewer.texts.moment(since)
            return say("nothing arrives since {moment}; it is tried again", moment=moment)
        return say("enabled")

    async def _test(self) -> None:
        say, one, background = self._viewer.texts.say, self._one, self._background
        now = datetime.now(UTC)
        message = Message(f"msg_test_{now.timestamp():.6f}", TEST, now, {"text": "a test"})
        await self._viewer.change(
            ADMINISTRATOR, "webhook test", one.name, lambda: background.queue.add([one], message)
        )
        background.look_soon()
        ui.notify(say("The test is queued: load this page again to see its answer."))

    async def _enable(self) -> None:
        one = self._one
        await self._viewer.change(
            ADMINISTRATOR, "webhook enabled", one.name,
            lambda: self._background.hooks.enable(one.id), old=one.disabled,
        )  # fmt: skip
        self._background.look_soon()
        ui.navigate.reload()

    async def _remove(self) -> None:
        say, one = self._viewer.texts.say, self._one
        question = say("Remove {url} and all that waits for it?", url=one.url)
        if await confirm(self._viewer, question, say("Remove")):
            await self._viewer.change(
                ADMINISTRATOR, "webhook removed", one.name,
                lambda: self._background.hooks.remove(one.id), old=" ".join(one.events),
            )  # fmt: skip
            ui.navigate.reload()


def _log(viewer: Viewer, hooks: list[Hook], deliveries: list[Delivery]) -> None:
    say, texts = viewer.texts.say, viewer.texts
    urls = {one.id: one.url for one in hooks}
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            ui.label(say("Last messages"))
        if not deliveries:
            ui.label(say("Nothing was sent yet.")).classes("muted")
            return
        columns = [
            say("Time"), say("Address"), say("Event"), say("State"), say("Attempts"),
            say("Answer"), say("Id"),
        ]  # fmt: skip
        rows = [
            [
                texts.moment(datetime.fromtimestamp(one.created, UTC)), urls.get(one.hook, ""),
                one.event, say(STATES[one.state]), texts.number(one.attempts), one.answer,
                one.message_id,
            ]
            for one in deliveries
        ]  # fmt: skip
        plain_table(say("Last messages"), columns, rows)
