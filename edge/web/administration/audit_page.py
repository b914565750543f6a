"""/audit: who changed what, when, from where and why."""

from collections.abc import Sequence
from dataclasses import asdict, fields

from fastapi import FastAPI, Request
from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from edge.archive.audit import Entry
from edge.base.csv_table import csv_lines
from edge.web.accounts.roles import Role
from edge.web.page import Room, add_page, guarded
from edge.web.plain_table import plain_table
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

ROWS = 50
COLUMNS = {
    "at": mark("Time"),
    "who": mark("Who"),
    "origin": mark("From where"),
    "action": mark("What"),
    "target": mark("Of what"),
    "old": mark("Before"),
    "new": mark("After"),
    "reason": mark("Reason"),
}


def add_audit(app: FastAPI, site: Site) -> None:
    """The page, and the whole trail as CSV."""

    async def build(viewer: Viewer, request: Request) -> None:
        say = viewer.texts.say
        before = request.query_params.get("before", "")
        number = int(before) if before.isdecimal() else None
        entries = await run_in_threadpool(site.archive.audit.newest, ROWS, number)
        head = await run_in_threadpool(site.archive.audit.head)
        with ui.element("section").classes("card"):
            _state(viewer, head)
        with ui.element("section").classes("card"):
            _table(viewer, entries)
            if len(entries) == ROWS:
                ui.link(say("Older entries"), f"/audit?before={entries[-1].number}").classes(
                    "action-link"
                )

    add_page(
        site, Room("/audit", mark("Audit trail"), Role.ENGINEER, "fact_check", in_menu=True), build
    )

    @app.get("/audit.csv")
    def export(request: Request) -> StreamingResponse:
        site.viewer_of(request).require(Role.ENGINEER)
        names = [field.name for field in fields(Entry)]
        headers = {"content-disposition": "attachment; filename=audit.csv"}
        lines = csv_lines(names, map(asdict, site.archive.audit.entries()))
        return StreamingResponse(lines, media_type="text/csv", headers=headers)


def _state(viewer: Viewer, head: str) -> None:
    """The head, the trail as a file, and a button that reads all of it to check it."""
    say = viewer.texts.say
    ui.label(say("Its last entry, to be noted elsewhere: {head}", head=head))
    ui.link(say("The whole trail as a table (CSV)"), "/audit.csv").classes("action-link")
    found = ui.element("div").props("role=status")

    async def check() -> None:
        faults = await run_in_threadpool(viewer.archive.audit.faults)
        found.clear()
        with found:
            for fault in faults:
                ui.label(say("altered: {fault}", fault=fault)).classes("state-bad")
            if not faults:
                ui.label(say("The trail is complete and was not altered.")).classes("state-good")

    button = ui.button(say("Check that nothing was altered"), on_click=guarded(viewer, check))
    button.props("outline").classes("self-start")


def _table(viewer: Viewer, entries: Sequence[Entry]) -> None:
    """Entries, newest first."""
    say, moment = viewer.texts.say, viewer.texts.moment
    headings = [say(heading) for heading in COLUMNS.values()]
    rows = [
        [moment(entry.at), *(getattr(entry, name) for name in COLUMNS if name != "at")]
        for entry in entries
    ]
    plain_table(say("Audit trail"), headings, rows)
