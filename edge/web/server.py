"""The program: routes, middleware and the HTTP server."""

import secrets
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from edge.archive.archive import Archive
from edge.archive.database import open_database
from edge.base.errors import SettingsError
from edge.base.files import exclusive_lock
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.sessions import Sessions
from edge.web.accounts.tokens import Tokens
from edge.web.administration.accounts_page import add_accounts
from edge.web.administration.audit_page import add_audit
from edge.web.administration.own_account_page import add_own_account
from edge.web.api.app import add_api
from edge.web.background import Background
from edge.web.history.rooms import add_history
from edge.web.jobs.queue import Jobs
from edge.web.live.page import add_live
from edge.web.live.station_feed import StationFeed
from edge.web.login.routes import add_login
from edge.web.look import set_look
from edge.web.not_found import add_not_found
from edge.web.pictures import add_pictures
from edge.web.plain_errors import add_plain_errors
from edge.web.products.rooms import add_products
from edge.web.report.page import add_report
from edge.web.review.rooms import add_review
from edge.web.security import Guard
from edge.web.settings import WebSettings
from edge.web.site import Site
from edge.web.statistics.page import add_statistics
from edge.web.tokens.page import add_tokens
from edge.web.webhooks.page import add_webhooks

STATIC = Path(__file__).parent / "static"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
CLOSE_S = 3
LOCK = "web.lock"


def serve(settings: WebSettings) -> None:
    """Serve the site until a signal. Raises DraemError."""
    with ExitStack() as stack:
        stack.enter_context(_only_one(settings.folder))
        site = open_site(settings, stack)
        _refuse_unsafe(site)
        code = secrets.token_urlsafe(16)
        background = stack.enter_context(Background(site))
        app = build_app(site, background, code)
        if not site.accounts.has_administrator():
            print(f"no accounts yet: open {settings.address}/first?code={code}", flush=True)
        background.start()
        print(f"serving {settings.address} (Ctrl-C ends)", flush=True)
        uvicorn.Server(_config(app, settings)).run()


def open_site(settings: WebSettings, stack: ExitStack) -> Site:
    """What the pages share; closed with the stack. Raises DraemError."""
    open_database(settings.database, create=True).dispose()
    archive = stack.enter_context(Archive(settings.database, settings.pictures))
    accounts = stack.enter_context(Accounts(settings.folder / "accounts.db"))
    feeds = {one.name: stack.enter_context(StationFeed(one)) for one in settings.stations}
    jobs = stack.enter_context(Jobs(settings.folder / "jobs"))
    return Site(settings, archive, accounts, Sessions(accounts), feeds, jobs)


def build_app(site: Site, background: Background, code: str) -> ASGIApp:
    """All routes behind the guard. NiceGUI keeps its pages in the process: call it once."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    add_plain_errors(app)
    add_login(app, site, code)
    add_pictures(app, site)
    add_live(app, site)
    add_history(app, site)
    add_review(site)
    add_statistics(site)
    add_report(app, site, background.reports)
    add_products(app, site)
    add_own_account(site)
    add_audit(app, site)
    add_accounts(site)
    add_tokens(site)
    add_webhooks(site, background)
    add_api(app, site)
    add_not_found(site)
    set_look()
    # A bar for requests of scripts: none of these takes long, and it has no name for a reader.
    nicegui_app.config.quasar_config["loadingBar"] = {"skipHijack": True}
    ui.run_with(app, title="draem", dark=None, tailwind=False, show_welcome_message=False)
    has_tls = site.settings.certificate is not None
    guarded: ASGIApp = Guard(app, site.sessions, Tokens(site.accounts), has_tls=has_tls)
    names = [*LOCAL_NAMES, site.settings.host, *site.settings.names]
    return TrustedHostMiddleware(guarded, allowed_hosts=names, www_redirect=False)


def _only_one(folder: Path) -> AbstractContextManager[None]:
    """Two would send each webhook twice. Raises SettingsError."""
    text = f"another 'draem web' uses {folder}/: stop it, or start this one in another folder"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return exclusive_lock(folder / LOCK, SettingsError(text))


def _refuse_unsafe(site: Site) -> None:
    """Raise SettingsError where other machines could connect without TLS or accounts."""
    settings = site.settings
    if settings.is_local:
        return
    if settings.certificate is None:
        raise SettingsError(
            f"--host {settings.host} lets other machines connect, which needs TLS: give "
            "--certificate and --certificate-key, or --self-made"
        )
    if not site.accounts.has_administrator():
        raise SettingsError(
            f"--host {settings.host} needs an administrator first: run 'draem account add NAME "
            "--role administrator', or start 'draem web' without --host once"
        )


def _config(app: ASGIApp, settings: WebSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=CLOSE_S,
    )
