"""/api-tokens: made and revoked by administrators."""

from datetime import UTC, datetime

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from edge.web.accounts.roles import Role
from edge.web.accounts.tokens import MOST_DAYS, Token, Tokens
from edge.web.dialogs import confirm
from edge.web.page import Room, add_page, guarded
from edge.web.secret_dialog import show_secret
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

ADMINISTRATOR = Role.ADMINISTRATOR
DAYS = 365


def add_tokens(site: Site) -> None:
    """The page for administrators."""
    tokens = Tokens(site.accounts)

    async def build(viewer: Viewer, request: Request) -> None:
        say = viewer.texts.say
        found = await run_in_threadpool(tokens.all)
        ui.label(say("A program sends a token with each request to /api.")).classes("muted")
        ui.link(say("What the API can do"), "/api/").classes("action-link")
        if not found:
            ui.label(say("There are no tokens yet.")).classes("card muted")
        listed = ui.element("ul").classes("card rows")
        listed.visible = bool(found)
        with listed:
            for one in found:
                with ui.element("li").classes("row-wrap"):
                    _row(tokens, viewer, one)
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(say("New token"))
            _form(tokens, viewer)

    add_page(
        site, Room("/api-tokens", mark("API tokens"), ADMINISTRATOR, "key", in_menu=True), build
    )


def _row(tokens: Tokens, viewer: Viewer, one: Token) -> None:
    say, texts = viewer.texts.say, viewer.texts

    def moment(at: float) -> str:
        return texts.moment(datetime.fromtimestamp(at, UTC), seconds=False)

    is_over = one.expires < datetime.now(UTC).timestamp()
    at = moment(one.expires)
    ends = say("expired {moment}", moment=at) if is_over else say("until {moment}", moment=at)
    used = say("last used {moment}", moment=moment(one.used)) if one.used else say("never used")
    ui.label(one.name).classes("row-name")
    ui.label(say(one.role.word))
    ui.label(ends).classes("state-bad" if is_over else "")
    ui.label(used).classes("muted")
    ui.label(say("made by {who}", who=one.made_by)).classes("muted")

    async def revoke() -> None:
        question = say("Revoke the token {name}? Programs that use it are refused.", name=one.name)
        if await confirm(viewer, question, say("Revoke")):
            await viewer.change(
                ADMINISTRATOR, "token revoked", one.name, lambda: tokens.revoke(one.name),
                old=one.role.word,
            )  # fmt: skip
            ui.navigate.reload()

    text = say("Revoke")
    button = ui.button(text, on_click=guarded(viewer, revoke)).props("outline")
    button.props["aria-label"] = f"{text} {one.name}"


def _form(tokens: Tokens, viewer: Viewer) -> None:
    say = viewer.texts.say
    with ui.element("div").classes("row-wrap"):
        name = ui.input(say("Name")).props("maxlength=64 autocomplete=off")
        words = {role.word: say(role.word) for role in Role}
        role = ui.select(words, value=Role.VIEWER.word, label=say("Role")).classes("row-choice")
        days = ui.number(say("Days"), value=DAYS, min=1, max=MOST_DAYS, precision=0)

        async def make() -> None:
            wanted, lasts = Role.of(role.value), int(days.value or 0)
            made = await viewer.change(
                ADMINISTRATOR,
                "token made",
                name.value,
                lambda: tokens.make(name.value, wanted, lasts, viewer.account.name),
                new=f"{wanted.word}, {lasts} days",
            )
            await show_secret(
                viewer,
                say("The token {name}", name=name.value),
                say("Programs send it as 'Authorization: Bearer TOKEN'. It is shown this once."),
                made,
            )
            ui.navigate.reload()

        ui.button(say("Make the token"), on_click=guarded(viewer, make))
