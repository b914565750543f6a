"""Shift reports and the audit trail."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from edge.archive.audit import Entry
from edge.archive.errors import ArchiveError
from edge.archive.shift_times import finished_shifts, shift_of_key
from edge.web.accounts.roles import Role
from edge.web.api.errors import missing
from edge.web.report.files import report_files
from edge.web.site import Site
from edge.web.viewer import Viewer

SHIFTS, ENTRIES = 42, 500


class ShiftName(BaseModel):
    """A shift that has ended; its key is in the addresses of its reports."""

    key: str
    name: str
    begin: datetime
    end: datetime


def add_records(router: APIRouter, site: Site) -> None:
    """The routes below /reports and /audit."""
    shifts = site.settings.shifts

    @router.get("/reports")
    def reports() -> list[ShiftName]:
        """The last shifts that have ended, newest first."""
        found = finished_shifts(shifts, datetime.now(UTC), SHIFTS)
        return [ShiftName(key=s.key, name=s.name, begin=s.begin, end=s.end) for s in found]

    @router.get("/reports/{shift}.{kind}", response_class=Response)
    def report(
        shift: str, kind: Literal["pdf", "csv"], viewer: Viewer = Depends(site.viewer_of)
    ) -> Response:
        """The report of a shift, named by its key."""
        try:
            found = shift_of_key(shifts, shift)
        except ArchiveError as error:
            raise missing(error) from error
        [made] = report_files(site.archive, shifts, found, viewer.texts, kind)
        headers = {"content-disposition": f'attachment; filename="{made.name}"'}
        return Response(made.data, media_type=made.media_type, headers=headers)

    @router.get("/audit")
    def audit(
        since: datetime = Query(description="entries at or after this time, with its zone"),
        until: datetime | None = Query(None, description="entries before this time"),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> list[Entry]:
        """The first entries of the audit trail in a period. Role engineer."""
        viewer.require(Role.ENGINEER)
        end = until or datetime.now(UTC)
        return site.archive.audit.between(since.astimezone(), end.astimezone(), ENTRIES)
