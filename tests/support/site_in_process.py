"""A `Site` in the test's own process: its routes and viewers without a server and a browser."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from edge.web.accounts.accounts import Account
from edge.web.accounts.roles import Role
from edge.web.server import open_site
from edge.web.settings import WebSettings
from edge.web.site import Site
from edge.web.texts import Texts
from edge.web.viewer import Viewer


@contextmanager
def opened_site(folder: Path) -> Iterator[Site]:
    """In a folder, with accounts named as their roles, and the product `lid` without pictures.

    Its jobs are kept in the queue, and not started.
    """
    settings = WebSettings(
        (),
        str(folder / "archive.db"),
        str(folder / "pictures"),
        folder=folder / "web",
        products=folder / "products",
        images=folder / "images",
    )
    (settings.images / "lid" / "good").mkdir(parents=True)
    with ExitStack() as stack:
        site = open_site(settings, stack)
        site.jobs.close()
        for role in Role:
            site.accounts.add(role.word, "correct horse", role)
        yield site


def viewer_of(site: Site, role: Role = Role.ENGINEER) -> Viewer:
    """Somebody who has logged in."""
    session = site.sessions.begin(Account(role.word, role, "en"), "test")
    return Viewer(session, Texts("en", site.settings.shifts.zone), site.sessions, site.archive)


def app_for(viewer: Viewer) -> FastAPI:
    """An application whose requests all come from one person."""
    app = FastAPI()

    @app.middleware("http")
    async def known(request: Request, call_next: RequestResponseEndpoint) -> Response:
        request.scope.update(session=viewer.session, keys=viewer.sessions)
        return await call_next(request)

    return app
