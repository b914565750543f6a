"""/history.csv: all parts that a question means, as a table that is sent while it is read."""

from fastapi import FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

from edge.archive.errors import ArchiveError
from edge.archive.export import COLUMNS, flat
from edge.base.csv_table import csv_lines
from edge.web.accounts.roles import NotAllowed, Role
from edge.web.history.query_words import query_of, words_in
from edge.web.site import Site


def add_csv(app: FastAPI, site: Site) -> None:
    """The route; those may use it who may see the list."""

    @app.get("/history.csv")
    def table(request: Request) -> StreamingResponse:
        try:
            site.viewer_of(request).require(Role.VIEWER)
            query = query_of(words_in(request.query_params), site.settings.shifts.zone)
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except ArchiveError as error:
            raise HTTPException(400, str(error)) from error
        name = {"content-disposition": 'attachment; filename="parts.csv"'}
        lines = csv_lines(COLUMNS, map(flat, site.archive.find_all(query)))
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=name)
