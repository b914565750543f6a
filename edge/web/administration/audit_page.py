"""/audit: who changed what, when, from where and why."""

import csv
import io
from typing import Any

from fastapi import FastAPI, Request
from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from edge.web.accounts.roles import Role
from edge.web.page import Room, add_page
from edge.web.plain_table import plain_table
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

ROWS = 50
COLUMNS = {
    "at": mark("Time"),
    "who": mark("Who"),
    "origin": mark("From"),
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
        entries, faults, head = await run_in_threadpool(site.archive.audit_trail)
        with ui.element("section").classes("card"):
            if faults:
                for fault in faults:
                    ui.label(fault).classes("state-bad").props("role=alert")
            else:
                ui.label(say("The trail is complete and was not altered.")).classes("state-good")
            ui.label(say("Its last entry, to be noted elsewhere: {head}", head=head))
            ui.link(say("The whole trail as a table (CSV)"), "/audit.csv")
        table(viewer, entries[::-1][:ROWS])

    add_page(site, Room("/audit", mark("Audit trail"), Role.ENGINEER, "fact_check"), build)

    @app.get("/audit.csv")
    def export(request: Request) -> Response:
        site.viewer_of(request).require(Role.ENGINEER)
        entries, _, _ = site.archive.audit_trail()
        text = io.StringIO()
        names = ["number", *COLUMNS, "digest"]
        writer = csv.DictWriter(text, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**e, "at": e["at"].isoformat()} for e in entries)
        headers = {"content-disposition": "attachment; filename=audit.csv"}
        return Response(text.getvalue(), media_type="text/csv", headers=headers)


def table(viewer: Viewer, entries: list[dict[str, Any]]) -> None:
    """Entries, newest first."""
    say, moment = viewer.texts.say, viewer.texts.moment
    headings = [say(heading) for heading in COLUMNS.values()]
    rows = [[moment(e["at"]), *(e[name] for name in COLUMNS if name != "at")] for e in entries]
    with ui.element("section").classes("card"):
        plain_table(say("Audit trail"), headings, rows)
