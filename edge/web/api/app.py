"""The application under /api: its routes, its errors as JSON, its description."""

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from edge.web.api.documentation import documentation
from edge.web.api.errors import add_error_answers
from edge.web.api.parts import add_parts
from edge.web.api.records import add_records
from edge.web.api.stations import add_stations
from edge.web.api.statistics import add_statistics
from edge.web.site import Site

ABOUT = (
    "Programs send a token of the page API tokens: `Authorization: Bearer TOKEN`. Each answer is "
    'JSON, unless it is a picture or a report; an error is `{"error": "what is wrong: how to fix '
    'it"}` with a status of 400 or above. Times are ISO 8601.'
)


def add_api(app: FastAPI, site: Site) -> None:
    """Mount it. The guard around all routes has checked who asks."""
    api = FastAPI(title="draem", version="1", description=ABOUT, docs_url=None, redoc_url=None)
    router = APIRouter(prefix="/v1")
    for add in (add_stations, add_parts, add_statistics, add_records):
        add(router, site)
    api.include_router(router)
    add_error_answers(api)

    @api.get("/", include_in_schema=False)
    def about() -> HTMLResponse:
        return HTMLResponse(documentation(api.openapi()))

    app.mount("/api", api)
