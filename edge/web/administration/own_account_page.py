"""/account: one's own password and language."""

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.web.accounts.roles import Role
from edge.web.dialogs import ask_password
from edge.web.page import Room, add_page, guarded
from edge.web.site import Site
from edge.web.texts import LANGUAGES, mark
from edge.web.viewer import Viewer


def add_own_account(site: Site) -> None:
    """The page that everybody has."""

    async def build(viewer: Viewer, request: Request) -> None:
        say, account = viewer.texts.say, viewer.account

        async def change_password() -> None:
            question = say("Your new password")
            given = await ask_password(viewer, question, say("Change"), present=True)
            if given is None:
                return

            def change() -> None:
                site.accounts.check_password(account.name, given.present)
                site.accounts.change(account.name, password=given.new)

            await viewer.change(Role.VIEWER, "own password", account.name, change)
            ui.navigate.to("/login")

        async def change_language() -> None:
            await run_in_threadpool(viewer.require, Role.VIEWER)
            await run_in_threadpool(site.accounts.change, account.name, language=language.value)
            ui.navigate.reload()

        with ui.element("section").classes("card"):
            ui.label(f"{account.name} ({say(account.role.word)})").classes("row-name")
            language = ui.select(dict(LANGUAGES), value=account.language, label=say("Language"))
            language.on_value_change(guarded(viewer, change_language)).classes("wide-field")
            ui.button(say("Change the password"), on_click=guarded(viewer, change_password))
            ui.label(say("A new password ends all your sessions.")).classes("muted")

    add_page(site, Room("/account", mark("Your account")), build)
