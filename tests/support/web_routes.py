"""Prints all routes of the page's application, one a line: `python -m tests.support.web_routes`.

It builds the application as `draem web` does and looks into it; mounted applications too.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from edge.web.background import Background
from edge.web.security import Guard
from edge.web.server import build_app, open_site
from edge.web.settings import WebSettings


def routes_of(found: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """`METHOD path` of each route; of a mount that is no application of routes `MOUNT path`."""
    for context in iter_route_contexts(list(found)):
        route = context.original_route
        if isinstance(route, Mount) and isinstance(route.app, Starlette):
            yield from routes_of(route.app.routes, prefix + route.path)
        elif isinstance(route, Mount):
            yield f"MOUNT {prefix}{route.path}"
        elif isinstance(route, Route):
            methods = sorted((context.methods or {"GET"}) - {"HEAD"})
            yield from (f"{method} {prefix}{context.path}" for method in methods)
        elif isinstance(route, WebSocketRoute):
            yield f"WEBSOCKET {prefix}{route.path}"
        else:
            raise TypeError(f"{route} is of an unknown kind: say here what it is")


def main() -> None:
    """Build it in a new folder, without stations."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = WebSettings(
            (), f"{folder}/archive.db", f"{folder}/pictures", folder=Path(folder) / "web",
            reports=Path(folder) / "reports",
        )  # fmt: skip
        site = open_site(settings, stack)
        app = build_app(site, stack.enter_context(Background(site)), "code")
        assert isinstance(app, TrustedHostMiddleware)
        assert isinstance(app.app, Guard)
        assert isinstance(app.app._app, Starlette)
        sys.stdout.write("\n".join(routes_of(app.app._app.routes)) + "\n")


if __name__ == "__main__":
    main()
