"""/accounts: who may log in, and as what."""

from dataclasses import replace

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.base.errors import DraemError
from edge.web.accounts.accounts import Account
from edge.web.accounts.roles import Role
from edge.web.dialogs import ask_password, confirm
from edge.web.page import Room, add_page, guarded
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

ADMINISTRATOR = Role.ADMINISTRATOR
MEANINGS = {
    Role.VIEWER: mark("looks at everything, changes nothing"),
    Role.OPERATOR: mark("labels parts, pauses a line and changes its product"),
    Role.ENGINEER: mark("makes, calibrates and releases products"),
    Role.ADMINISTRATOR: mark("manages accounts"),
}


def add_accounts(site: Site) -> None:
    """The page for administrators."""

    async def build(viewer: Viewer, request: Request) -> None:
        say = viewer.texts.say
        accounts = await run_in_threadpool(site.accounts.all)
        with ui.element("section").classes("card"), ui.element("ul").classes("rows"):
            for one in accounts:
                with ui.element("li").classes("row-wrap"):
                    _Row(site, viewer, one)
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(say("New account"))
            _new_account(site, viewer)
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(say("Roles"))
            for role, meaning in MEANINGS.items():
                ui.label(f"{say(role.word)}: {say(meaning)}")

    room = Room("/accounts", mark("Accounts"), ADMINISTRATOR, "manage_accounts", in_menu=True)
    add_page(site, room, build)


class _Row:
    """An account and what can be done with it."""

    def __init__(self, site: Site, viewer: Viewer, one: Account) -> None:
        self._accounts, self._viewer, self._one = site.accounts, viewer, one
        say = viewer.texts.say
        ui.label(one.name).classes("row-name")
        self._role = _role_choice(viewer, one.role)
        self._role.on_value_change(guarded(viewer, self._change_role))
        for text, do in ((say("Password"), self._change_password), (say("Remove"), self._remove)):
            button = ui.button(text, on_click=guarded(viewer, do)).props("outline")
            button.props["aria-label"] = f"{text} {one.name}"

    async def _change_role(self) -> None:
        one, new = self._one, Role.of(self._role.value)
        if new is one.role:
            return
        try:
            await self._viewer.change(
                ADMINISTRATOR,
                "account role",
                one.name,
                lambda: self._accounts.change(one.name, role=new),
                old=one.role.word,
                new=new.word,
            )
        except DraemError:
            self._role.value = one.role.word
            raise
        self._one = replace(one, role=new)
        ui.notify(self._viewer.texts.say("{name} has the new role", name=one.name))

    async def _change_password(self) -> None:
        say, name = self._viewer.texts.say, self._one.name
        question = say("A new password for {name}", name=name)
        given = await ask_password(self._viewer, question, say("Change"))
        if given is not None:
            await self._viewer.change(
                ADMINISTRATOR,
                "account password",
                name,
                lambda: self._accounts.change(name, password=given.new),
            )
            ui.notify(say("{name} has a new password", name=name))

    async def _remove(self) -> None:
        say, one = self._viewer.texts.say, self._one
        question = say("Remove the account {name}?", name=one.name)
        if await confirm(self._viewer, question, say("Remove")):
            await self._viewer.change(
                ADMINISTRATOR,
                "account removed",
                one.name,
                lambda: self._accounts.remove(one.name),
                old=one.role.word,
            )
            ui.navigate.reload()


def _role_choice(viewer: Viewer, role: Role) -> ui.select:
    say = viewer.texts.say
    choice = ui.select({r.word: say(r.word) for r in Role}, value=role.word, label=say("Role"))
    return choice.classes("row-choice")


def _new_account(site: Site, viewer: Viewer) -> None:
    say = viewer.texts.say
    with ui.row().classes("row-wrap"):
        name = ui.input(say("Name")).props("maxlength=64 autocomplete=off")
        role = _role_choice(viewer, Role.VIEWER)

        async def add() -> None:
            question = say("A new password for {name}", name=name.value)
            given = await ask_password(viewer, question, say("Make the account"))
            if given is None:
                return
            language = viewer.texts.language  # until its owner chooses another one
            await viewer.change(
                ADMINISTRATOR,
                "account added",
                name.value,
                lambda: site.accounts.add(name.value, given.new, Role.of(role.value), language),
                new=role.value,
            )
            ui.navigate.reload()

        ui.button(say("Add"), on_click=guarded(viewer, add))
