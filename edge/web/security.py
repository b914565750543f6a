"""What protects the site: default deny, origin checks, and headers, around all of its routes."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.web.accounts.sessions import Session, Sessions
from edge.web.accounts.tokens import Tokens, TokensFrom
from edge.web.attempts import Attempts

COOKIE = "draem_session"
PUBLIC = re.compile(
    r"/(login|first|static/[\w.-]+|favicon\.ico"
    r"|_nicegui/[\d.]+/(static|libraries|components|esm|resources)/.*)"
)
FORM_BYTES, API_BYTES = 4096, 64 * 1024
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
NO_TOKEN = "log in, or send a token: 'Authorization: Bearer TOKEN', of the page API tokens"
WRONG_TOKEN = "the token is unknown, revoked or has expired: make one on the page API tokens"
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

    Requests that change something, and WebSockets, must come from a page of this site. Programs
    send a token instead of a cookie, which opens /api alone.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, tokens: Tokens, *, has_tls: bool) -> None:
        self._app, self._sessions, self._tokens, self._has_tls = app, sessions, tokens, has_tls
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, self._with_headers(scope, send))

    async def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead; None lets the request pass."""
        headers, path = Headers(scope=scope), scope["path"]
        is_websocket = scope["type"] == "websocket"
        is_api = path == "/api" or path.startswith("/api/")
        if (is_websocket or scope["method"] in UNSAFE) and not _same_origin(headers):
            return _refused(403, "the request comes from another site: send it from this one")
        bearer = bearer_of(headers) if is_api else None
        if bearer is not None:
            refusal = await self._check_token(scope, bearer)
        else:
            refusal = None
            key = cookie_of(headers)
            found = await run_in_threadpool(self._sessions.find, key) if key else None
            scope["session"], scope["keys"] = found, self._sessions
        if not is_websocket and not _is_small(headers, scope["method"], is_api, scope["session"]):
            return _refused(413, "the body is too long or has no Content-Length: send less")
        if refusal or scope["session"] is not None or PUBLIC.fullmatch(path):
            return refusal
        if is_api or is_websocket:
            return _refused(401, NO_TOKEN, {"www-authenticate": "Bearer"})
        return RedirectResponse(f"/login?next={quote(_with_query(scope))}", 303)

    async def _check_token(self, scope: Scope, bearer: str) -> Response | None:
        address = scope["client"][0] if scope.get("client") else ""
        keys = scope["keys"] = TokensFrom(self._tokens, address)
        scope["session"] = None
        if wait := self._attempts.wait_s(address):
            text = f"too many wrong tokens came from {address}: try again in {wait} s"
            return _refused(429, text, {"retry-after": str(wait)})
        scope["session"] = await run_in_threadpool(keys.find, bearer)
        if scope["session"] is not None:
            return None
        self._attempts.failed(address)
        return _refused(401, WRONG_TOKEN, {"www-authenticate": 'Bearer error="invalid_token"'})

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


def _is_small(headers: Headers, method: str, is_api: bool, session: Session | None) -> bool:
    """Whether a body is no longer than that of a form for logging in, or of a request of the API.

    Pages for people with a session take files of any length.
    """
    if session is not None and not is_api:
        return True
    length = headers.get("content-length", "" if method in UNSAFE and session is None else "0")
    most = FORM_BYTES if session is None else API_BYTES
    return length.isdecimal() and int(length) <= most and "transfer-encoding" not in headers


def cookie_of(headers: Headers) -> str | None:
    """The session's key that a browser sends."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def bearer_of(headers: Headers) -> str | None:
    """The token that a program sends."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _refused(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status, headers)


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
