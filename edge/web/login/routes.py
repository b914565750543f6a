"""/login, /logout and /first."""

import asyncio
import logging
import secrets
from pathlib import Path
from urllib.parse import urlencode

import jinja2
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge.archive.audit import Change
from edge.web.accounts.accounts import WRONG, Account, AccountLocked
from edge.web.accounts.database import AccountsError
from edge.web.accounts.roles import Role
from edge.web.attempts import Attempts
from edge.web.dialogs import password_rule
from edge.web.security import COOKIE, cookie_of
from edge.web.site import Site
from edge.web.texts import LANGUAGES, Texts

log = logging.getLogger(__name__)

HASHES_AT_ONCE = 2  # argon2 takes 64 MiB for each
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


def add_login(app: FastAPI, site: Site, code: str) -> None:
    """The forms. `code` is in the address that lets the first administrator in, once."""
    attempts = Attempts()
    at_once = asyncio.Semaphore(HASHES_AT_ONCE)

    @app.get("/login")
    def login(request: Request) -> HTMLResponse:
        return _form(site, request)

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        form = await request.form()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        origin = _origin(request)
        if wait := attempts.wait_s(origin):
            texts = _texts(request)
            error = texts.say("too many failures: try again in {seconds} seconds", seconds=wait)
            return _form(site, request, error, 429)
        try:
            async with at_once:
                found = await run_in_threadpool(site.accounts.check_password, name, password)
        except AccountsError as error:
            attempts.failed(origin)
            log.warning("a log-in from %s failed", origin)
            if isinstance(error, AccountLocked):
                await run_in_threadpool(_record, site, request, "account locked", name)
            said = _texts(request).say(WRONG) if str(error) == WRONG else str(error)
            return _form(site, request, said, 403, name=name)
        return await run_in_threadpool(_entered, site, request, found)

    @app.get("/logout")
    def log_out(request: Request) -> Response:
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return RedirectResponse("/", 303)  # a link on another site logs nobody out
        site.sessions.end(cookie_of(request.headers) or "")
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    @app.get("/first")
    def first(request: Request) -> HTMLResponse:
        try:
            _refuse_unless_first(site, request, code)
        except AccountsError as error:
            return _form(site, request, str(error), 403)
        return _form(site, request, first=True)

    @app.post("/first")
    async def make_first(request: Request) -> Response:
        form = await request.form()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        try:
            _refuse_unless_first(site, request, code)
            await run_in_threadpool(_record, site, request, "account added", name)
            language = _texts(request).language
            add = site.accounts.add
            await run_in_threadpool(add, name, password, Role.ADMINISTRATOR, language)
        except AccountsError as error:
            return _form(site, request, str(error), 403, first=True, name=name)
        made = Account(name, Role.ADMINISTRATOR, language)
        return await run_in_threadpool(_entered, site, request, made)


def _record(site: Site, request: Request, action: str, name: str) -> None:
    who = "the first account" if action == "account added" else "draem web"
    site.archive.audit.record(Change(who, f"web {_origin(request)}", action, name[:64]))


def _refuse_unless_first(site: Site, request: Request, code: str) -> None:
    given = request.query_params.get("code", "")
    if site.accounts.has_administrator():
        raise AccountsError("there is an administrator already: log in")
    if not secrets.compare_digest(given.encode(), code.encode()):
        raise AccountsError("this address is not the one that 'draem web' printed: use that one")


def _entered(site: Site, request: Request, account: Account) -> Response:
    """A new session in a cookie, and on to the page that was asked for."""
    site.sessions.end(cookie_of(request.headers) or "")
    session = site.sessions.begin(account, _origin(request))
    response = RedirectResponse(_next(request), 303)
    secure = site.settings.certificate is not None
    response.set_cookie(COOKIE, session.key, httponly=True, samesite="lax", secure=secure)
    return response


def _next(request: Request) -> str:
    """A page of this site, whatever the address says."""
    wanted = request.query_params.get("next", "/")
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_local and wanted.isprintable() else "/"


def _origin(request: Request) -> str:
    return request.client.host if request.client else ""


def _form(
    site: Site,
    request: Request,
    error: str = "",
    status: int = 200,
    *,
    first: bool = False,
    name: str = "",
) -> HTMLResponse:
    texts = _texts(request)
    is_here = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    states = [feed.state() for feed in site.stations.values()] if is_here else []
    page = TEMPLATES.get_template("login.html")
    query = f"?{request.url.query}" if request.url.query else ""
    values = {
        "first": first,
        "error": error,
        "texts": texts,
        "say": texts.say,
        "states": states,
        "query": query,
        "name": name,
        "rule": password_rule(texts),
        "languages": [(c, word, _in_language(request, c)) for c, word in LANGUAGES.items()],
    }
    return HTMLResponse(page.render(**values), status)


def _in_language(request: Request, code: str) -> str:
    """This address in a language; it keeps the first account's code, and where to go next."""
    return "?" + urlencode({**request.query_params, "language": code})


def _texts(request: Request) -> Texts:
    return Texts(request.query_params.get("language") or _preferred(request))


def _preferred(request: Request) -> str:
    """The first language that the browser names, by its first two letters."""
    return request.headers.get("accept-language", "en")[:2].lower()
