"""What protects the site: default deny, origin checks, and headers, around all of its routes."""

import re
from collections.abc import Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.web.accounts.sessions import Session, Sessions

COOKIE = "draem_session"
PUBLIC = re.compile(
    r"/(login|first|static/[\w.-]+|favicon\.ico"
    r"|_nicegui/[\d.]+/(static|libraries|components|esm|resources)/.*)"
)
FORM_BYTES = 4096
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
HEADERS = {
    # Vue compiles templates in the browser, which needs eval; nothing comes from elsewhere.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' "
    "'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' "
    "data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware: only requests of a session pass, except to the pages for logging in.

    Requests that change something, and WebSockets, must come from a page of this site.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, *, has_tls: bool) -> None:
        self._app, self._sessions, self._has_tls = app, sessions, has_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, self._with_headers(scope, send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead; None lets the request pass."""
        headers, path = Headers(scope=scope), scope["path"]
        changes = scope["type"] == "websocket" or scope["method"] in UNSAFE
        if changes and not _same_origin(headers):
            return JSONResponse({"error": "the request comes from another site"}, 403)
        scope["session"] = session = self._session(headers)
        if session is None and scope["type"] == "http" and not _is_small(headers, scope["method"]):
            return JSONResponse({"error": "log in before you send so much"}, 413)
        if session is not None or PUBLIC.fullmatch(path):
            return None
        if path.startswith("/api/") or scope["type"] == "websocket":
            return JSONResponse({"error": "log in, or send a token"}, 401)
        return RedirectResponse(f"/login?next={quote(_with_query(scope))}", 303)

    def _session(self, headers: Headers) -> Session | None:
        key = cookie_of(headers)
        return self._sessions.find(key) if key else None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, HEADERS.items())
                if self._has_tls:
                    _add_headers(message, [("strict-transport-security", "max-age=31536000")])
                if scope.get("session") is not None:
                    _add_headers(message, [("cache-control", "private, no-cache")])
            await send(message)

        return sending


def _is_small(headers: Headers, method: str) -> bool:
    """Whether a body is no longer than that of a form for logging in."""
    length = headers.get("content-length", "0" if method not in UNSAFE else "")
    return length.isdecimal() and int(length) <= FORM_BYTES and "transfer-encoding" not in headers


def cookie_of(headers: Headers) -> str | None:
    """The session's key that a browser sends."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _same_origin(headers: Headers) -> bool:
    """A browser names the page's origin with each request that is not a plain link.

    Programs send none, and then no cookie of a person either.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("cookie") is None or headers.get("sec-fetch-site") == "same-origin"
    return urlsplit(origin).netloc == headers.get("host")


def _with_query(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _add_headers(message: MutableMapping[str, Any], headers: Iterable[tuple[str, str]]) -> None:
    found = MutableHeaders(scope=message)
    for name, value in headers:
        found.setdefault(name, value)
