"""`add_page`: a page of the site with its role, header and navigation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui
from starlette.exceptions import HTTPException
from starlette.requests import Request

from edge.base.errors import DraemError
from edge.base.os_errors import how_to_fix
from edge.web.accounts.roles import NotAllowed, Role
from edge.web.shell import shell, show_error
from edge.web.site import Site
from edge.web.viewer import Viewer

log = logging.getLogger(__name__)

BUILD_S = 20.0

Build = Callable[[Viewer, Request], Awaitable[None]]


@dataclass(frozen=True)
class Room:
    """A page: its path, its title (in English, with a translation), and the role that sees it.

    `icon` puts it into the navigation, or into the menu of the account where `in_menu`. `within` is
    the path of the room that the navigation marks while this one is shown.
    """

    path: str
    title: str
    role: Role = Role.VIEWER
    icon: str = ""
    in_menu: bool = False
    within: str = ""


ROOMS: list[Room] = []
"""All pages, in the order of the navigation."""


def add_page(site: Site, room: Room, build: Build) -> None:
    """Serve a page. `build` makes its content; query and path parameters are in the request.

    A DraemError of `build` is shown in the page; a program's error too, and logged.
    """
    ROOMS.append(room)

    async def shown(request: Request) -> None:
        viewer = site.viewer_of(request)
        if not viewer.may(room.role):
            raise HTTPException(403, viewer.texts.say("your account may not see this page"))
        with shell(site, viewer, room, ROOMS):
            try:
                await build(viewer, request)
            except DraemError as error:
                show_error(str(error))
            except Exception:
                log.exception("%s cannot be built", room.path)
                show_error(viewer.texts.say("this page failed: the program's log has the reason"))

    ui.page(room.path, title=f"{room.title} - draem", response_timeout=BUILD_S)(shown)


def guarded(viewer: Viewer, do: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A handler whose errors a person sees as a message, not only the log."""

    async def handler() -> None:
        try:
            await do()
        except NotAllowed as error:
            ui.notify(str(error), type="warning")
        except DraemError as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=0, close_button="OK")
        except OSError as error:
            fix = how_to_fix(error) or "correct it and try again"
            text = f"{error.filename or ''} {error.strerror}: {fix}".strip()
            ui.notify(text, type="negative", multi_line=True, timeout=0, close_button="OK")
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a handler failed")
            text = viewer.texts.say("that failed: the program's log has the reason")
            ui.notify(text, type="negative")

    return handler
