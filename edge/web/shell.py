"""What stands around each page: header, navigation, language, dark mode, the session's end."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.web.attributes import attributes
from edge.web.site import Site
from edge.web.texts import LANGUAGES
from edge.web.viewer import Viewer

if TYPE_CHECKING:
    from edge.web.page import Room

PRIMARY, NEGATIVE = "#0b5cad", "#b00020"  # with white text on them
CHECK_SESSION_S, LEAVE_S = 30.0, 2.0
LOOK = "draem_look"  # a cookie: a panel may be dark and a phone light
STYLE = "/static/style.css"


@contextmanager
def shell(site: Site, viewer: Viewer, room: "Room", rooms: "Sequence[Room]") -> Iterator[None]:
    """The page around its content, which is built inside."""
    say = viewer.texts.say
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE}">')
    ui.add_head_html(f'<script>document.documentElement.lang="{viewer.texts.language}"</script>')
    ui.page_title(f"{say(room.title)} - draem")
    ui.link(say("To the content"), "#content").classes("site-skip")
    dark = ui.dark_mode(_appearance())
    ui.colors(primary=PRIMARY, negative=NEGATIVE)
    with ui.header().classes("site-header"), ui.element("nav").classes("site-nav"):
        for one in _offered(viewer, rooms, in_menu=False):
            current = "page" if one is room else str(one.path == room.within).lower()
            link = ui.link(target=one.path).classes("site-link")
            with attributes(link, aria_current=current):
                ui.icon(one.icon).props("aria-hidden=true")
                ui.label(say(one.title)).classes("site-link-text")
        ui.space()
        _menu(site, viewer, dark, rooms)
    with ui.element("main").props("id=content tabindex=-1").classes("site-content"):
        with ui.element("h1").classes("site-title"):
            ui.label(say(room.title))
        yield
    ui.timer(CHECK_SESSION_S, lambda: _leave_when_ended(site, viewer))


def _offered(viewer: Viewer, rooms: "Sequence[Room]", *, in_menu: bool) -> "list[Room]":
    return [r for r in rooms if r.icon and r.in_menu is in_menu and viewer.may(r.role)]


def _appearance() -> bool | None:
    """Whether this browser wants it dark; None as the device has it."""
    return {"dark": True, "light": False}.get(ui.context.client.request.cookies.get(LOOK, ""))


def _change_appearance(dark: ui.dark_mode, look: str) -> None:
    """Now, and for this browser's other pages."""
    dark.set_value({"dark": True, "light": False}.get(look))
    ui.run_javascript(f"document.cookie='{LOOK}={look};path=/;max-age=31536000;samesite=lax'")


def _menu(site: Site, viewer: Viewer, dark: ui.dark_mode, rooms: "Sequence[Room]") -> None:
    say = viewer.texts.say
    button = ui.button(icon="account_circle").props("flat round")
    with attributes(button, aria_label=say("Account")), ui.menu():
        name = f"{viewer.account.name} ({say(viewer.account.role.word)})"
        ui.menu_item(name, lambda: ui.navigate.to("/account"))
        ui.separator()
        for one in _offered(viewer, rooms, in_menu=True):
            ui.menu_item(say(one.title), lambda path=one.path: ui.navigate.to(path))
        ui.separator()
        for code, name in LANGUAGES.items():
            ui.menu_item(name, lambda code=code: _change_language(site, viewer, code))
        ui.separator()
        ui.menu_item(say("Light"), lambda: _change_appearance(dark, "light"))
        ui.menu_item(say("Dark"), lambda: _change_appearance(dark, "dark"))
        ui.menu_item(say("As the device"), lambda: _change_appearance(dark, ""))
        ui.separator()
        ui.menu_item(say("Log out"), lambda: ui.navigate.to("/logout"))


async def _change_language(site: Site, viewer: Viewer, language: str) -> None:
    await run_in_threadpool(site.accounts.change, viewer.account.name, language=language)
    ui.navigate.reload()


async def _leave_when_ended(site: Site, viewer: Viewer) -> None:
    """To the login; and a browser that does not go there is shown nothing more."""
    client = ui.context.client
    find = partial(site.sessions.find, viewer.session.key, renew=False)
    if await run_in_threadpool(find) is None:
        ui.navigate.to("/login")
        await asyncio.sleep(LEAVE_S)
        if not client.is_deleted:
            client.delete()


def show_error(message: str) -> None:
    """An error in the page, where the content would be."""
    with ui.element("div").classes("site-error").props("role=alert"):
        ui.icon("error_outline").props("aria-hidden=true")
        ui.label(message)
