"""Every route of the page, and what each role gets there.

The routes are those of the application itself: one without a row in TABLE fails the test.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nicegui
import pytest

from edge.archive.archive import Archive
from edge.archive.query import Query
from edge.web.accounts.roles import Role
from tests.support.archived_days import fill_archive
from tests.support.running_station import Running
from tests.support.web_requests import send, session_headers, token_headers
from tests.support.web_site import WebSite

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
LOGIN, NOT_ALLOWED, NO_TOKEN = 303, 403, 401
NICEGUI = f"/_nicegui/{nicegui.__version__}"
SHIFT = "2026-11-02T06:00"
V, O, E, A = Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMINISTRATOR  # noqa: E741


@dataclass(frozen=True)
class Row:
    """An address of a route, and the answers: without a session, by role, by a token's role."""

    address: str
    nobody: int
    roles: Mapping[Role, int]
    tokens: Mapping[Role, int]
    body: str = ""


def page(address: str, role: Role = V, status: int = 200) -> Row:
    """A page, or a file for people: tokens do not open it."""
    roles = {one: status if one >= role else NOT_ALLOWED for one in Role}
    return Row(address, LOGIN, roles, dict.fromkeys(Role, LOGIN))


def api(address: str, role: Role = V, status: int = 200, body: str = "") -> Row:
    """A request of the API: the same for sessions and tokens."""
    roles = {one: status if one >= role else NOT_ALLOWED for one in Role}
    return Row(f"/api{address}", NO_TOKEN, roles, roles, body)


def public(address: str, status: int = 200, body: str = "") -> Row:
    """The same for everybody."""
    everybody = dict.fromkeys(Role, status)
    return Row(address, status, everybody, everybody, body)


TABLE = {
    "MOUNT /static": public("/static/style.css"),
    "GET /login": public("/login"),
    "POST /login": public("/login", 403, "name=nobody&password=wrong"),
    "GET /first": public("/first?code=wrong", 403),
    "POST /first": public("/first?code=wrong", 403, "name=x&password=y"),
    "GET /logout": page("/logout", status=303),
    "GET /pictures/{digest}": page("/pictures/" + "0" * 64, status=404),
    "GET /thumbnails/{digest}": page("/thumbnails/" + "0" * 64, status=404),
    # pages
    "GET /": page("/"),
    "GET /statistics": page("/statistics?period=week"),
    "GET /report": page(f"/report?shift={SHIFT}"),
    "GET /report.{kind}": page(f"/report.csv?shift={SHIFT}"),
    "GET /audit": page("/audit", E),
    "GET /audit.csv": page("/audit.csv", E),
    "GET /accounts": page("/accounts", A),
    "GET /account": page("/account"),
    "GET /live/{name}": page("/live/STATION"),
    "GET /live/{name}/picture/{stream_id}/{seq}": page("/live/STATION/picture/x/1", status=204),
    "GET /live/{name}/heat/{stream_id}/{seq}": page("/live/STATION/heat/x/1", status=204),
    "GET /live/{name}/small/{stream_id}/{seq}": page("/live/STATION/small/x/1", status=204),
    "GET /history": page("/history"),
    "GET /history.csv": page("/history.csv?verdict=NG"),
    "GET /parts/{key}": page("/parts/KEY"),
    "GET /review": page("/review", O),
    "GET /review/agreement": page("/review/agreement"),
    "GET /review/threshold": page("/review/threshold"),
    "GET /products": page("/products"),
    "GET /products/new": page("/products/new", E),
    "GET /products/{name}": page("/products/none"),
    "GET /products/{name}/pictures/{file:path}": page("/products/none/pictures/a.png", status=404),
    "GET /products/{name}/preview": page("/products/none/preview", status=404),
    "GET /products/{name}/versions/{version}/calibration/{file}": page(
        "/products/none/versions/1/calibration/000.png", status=404
    ),
    "GET /products/{name}/versions/{version}/report": page(
        "/products/none/versions/1/report", status=404
    ),
    "GET /products/{name}/training": page("/products/none/training", status=404),
    "GET /products/{name}/tries/{job}/{file}": page("/products/none/tries/1/a.png", status=404),
    "GET /products/{name}/exports/{job}": page("/products/none/exports/1", status=404),
    "POST /products/import": page("/products/import", E, 422),
    "POST /products/{name}/pictures": page("/products/none/pictures", E, 422),
    "POST /products/{name}/try": page("/products/none/try", E, 422),
    "GET /api-tokens": page("/api-tokens", A),
    "GET /webhooks": page("/webhooks", A),
    # for programs
    "GET /api/": api("/"),
    "GET /api/openapi.json": api("/openapi.json"),
    "GET /api/v1/stations": api("/v1/stations"),
    "GET /api/v1/stations/{name}": api("/v1/stations/STATION"),
    "GET /api/v1/stations/{name}/counters": api("/v1/stations/STATION/counters"),
    "GET /api/v1/stations/{name}/product": api("/v1/stations/STATION/product"),
    # this station cannot change its product, and answers so to roles that may request it
    "POST /api/v1/stations/{name}/product": api(
        "/v1/stations/STATION/product", O, 400, '{"product": "lid", "reason": "next"}'
    ),
    "POST /api/v1/stations/{name}/{request}": api(
        "/v1/stations/STATION/resume", O, 200, '{"reason": "go on"}'
    ),
    "GET /api/v1/inspections": api("/v1/inspections"),
    "GET /api/v1/inspections/{key}": api("/v1/inspections/KEY"),
    "GET /api/v1/inspections/{key}/picture": api("/v1/inspections/KEY/picture"),
    "GET /api/v1/inspections/{key}/mask": api("/v1/inspections/KEY/mask"),
    "GET /api/v1/inspections/{key}/labels": api("/v1/inspections/KEY/labels"),
    "POST /api/v1/inspections/{key}/labels": api(
        "/v1/inspections/KEY/labels", O, 201, '{"label": "unsure"}'
    ),
    "GET /api/v1/statistics": api("/v1/statistics?by=station"),
    "GET /api/v1/statistics/pareto": api("/v1/statistics/pareto?of=code"),
    "GET /api/v1/statistics/scores": api("/v1/statistics/scores"),
    "GET /api/v1/statistics/levels": api("/v1/statistics/levels"),
    "GET /api/v1/statistics/chart": api("/v1/statistics/chart?every=day"),
    "GET /api/v1/reports": api("/v1/reports"),
    "GET /api/v1/reports/{shift}.{kind}": api(f"/v1/reports/{SHIFT}.csv"),
    "GET /api/v1/audit": api("/v1/audit?since=2026-01-01T00:00:00Z", E),
    # of NiceGUI: its own files are public, what pages make is not
    "MOUNT /_nicegui_ws": page("/_nicegui_ws/socket.io/?EIO=4&transport=polling"),
    "MOUNT NICEGUI/static": public(f"{NICEGUI}/static/nicegui.css"),
    "GET NICEGUI/libraries/{key:path}": public(f"{NICEGUI}/libraries/none.js", 404),
    "GET NICEGUI/components/{key:path}": public(f"{NICEGUI}/components/none.js", 404),
    "GET NICEGUI/resources/{key}/{path:path}": public(f"{NICEGUI}/resources/none/x", 404),
    "GET NICEGUI/dynamic_resources/{name}": page(f"{NICEGUI}/dynamic_resources/x", status=404),
    "GET NICEGUI/esm/{key}/{path:path}": public(f"{NICEGUI}/esm/none/x", 404),
}


@dataclass(frozen=True)
class Asked:
    """The site, an inspection's key, and headers of each role: session and token."""

    site: WebSite
    folder: Path
    key: str
    station: str
    tokens: dict[Role, dict[str, str]]


@pytest.fixture(scope="module")
def asked(station: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "archive").mkdir()
    database, pictures = fill_archive(folder / "archive", datetime.now(UTC), 0.5)
    with Archive(database, pictures) as archive:
        found = archive.find(Query(verdict="NG"), 30).parts
        key = next(part.key for part in found if part.picture and part.mask)
    with WebSite(folder, "--endpoint", station.endpoint) as site:
        tokens = {role: token_headers(folder, role) for role in Role}
        stations = json.loads(send(site.port, "GET", "/api/v1/stations", headers=tokens[V]).body)
        yield Asked(site, folder, key, stations[0]["name"], tokens)


@pytest.fixture(scope="module")
def routes() -> list[str]:
    command = [sys.executable, "-m", "tests.support.web_routes"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.replace(NICEGUI, "NICEGUI") for line in printed.splitlines()]


def test_web_every_route_has_a_row(routes: list[str]) -> None:
    assert sorted(set(routes)) == sorted(TABLE)


@pytest.mark.parametrize("route", TABLE)
def test_web_each_role_gets_what_the_table_says(asked: Asked, route: str) -> None:
    row, site = TABLE[route], asked.site
    path = row.address.replace("KEY", asked.key).replace("STATION", asked.station)
    method = route.split()[0].replace("MOUNT", "GET")
    kind = (JSON if path.startswith("/api") else FORM) if row.body else {}

    def status(headers: Mapping[str, str]) -> int:
        return send(site.port, method, path, row.body.encode(), kind | dict(headers)).status

    sessions = {role: session_headers(asked.folder, role, site.address) for role in Role}
    assert status({}) == row.nobody
    assert {role: status(headers) for role, headers in sessions.items()} == row.roles
    assert {role: status(headers) for role, headers in asked.tokens.items()} == row.tokens
    other = {"origin": "http://elsewhere.example"}
    if method == "POST":
        assert status(sessions[A] | other) == NOT_ALLOWED
