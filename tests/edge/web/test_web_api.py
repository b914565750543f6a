"""The API as a program uses it: tokens, paging, labels, requests to a station, errors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from edge.archive.archive import Archive
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.database import AccountsError
from edge.web.accounts.roles import Role
from edge.web.accounts.tokens import Tokens
from edge.web.attempts import ADDRESSES, MOST, WITHIN_S, Attempts
from tests.support.archived_days import fill_archive
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.waiting import wait_until
from tests.support.web_requests import Answer, send, session_headers, token_headers
from tests.support.web_site import PASSWORD, WebSite, log_in

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Api:
    """A site whose archive has half a day, as a program with a token sees it."""

    site: WebSite
    folder: Path
    tokens: Mapping[Role, Mapping[str, str]]

    def get(self, path: str, role: Role = Role.VIEWER) -> Any:
        """The JSON of an answer 200."""
        answer = send(self.site.port, "GET", f"/api/v1{path}", headers=self.tokens[role])
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def post(self, path: str, body: object, role: Role = Role.OPERATOR) -> Answer:
        """The answer to a change."""
        sent = json.dumps(body).encode()
        return send(self.site.port, "POST", f"/api/v1{path}", sent, JSON | dict(self.tokens[role]))

    def error(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """The status and the error of a request that is refused."""
        given = self.tokens[Role.VIEWER] if headers is None else headers
        answer = send(self.site.port, "GET", path, headers=given)
        assert answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(answer.body)["error"]


@pytest.fixture(scope="module")
def api(station: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "archive").mkdir()
    fill_archive(folder / "archive", datetime.now(UTC), 0.5)
    with WebSite(folder, "--endpoint", station.endpoint) as site:
        yield Api(site, folder, {role: token_headers(folder, role) for role in Role})


def test_web_api_pages_through_all_inspections_once(api: Api) -> None:
    keys: list[str] = []
    after: str | None = ""
    while after is not None:
        page = api.get(f"/inspections?station=line-1&limit=50{f'&after={after}' * bool(after)}")
        keys += [part["key"] for part in page["parts"]]
        after = page["after"]
    assert len(keys) == len(set(keys)) == 118
    [count] = api.get("/statistics?station=line-1")
    assert count["ok"] + count["ng"] + count["no_verdict"] == len(keys)


def test_web_api_times_with_a_zone_need_no_escaping(api: Api) -> None:
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")
    parts = api.get(f"/inspections?since={since}&station=line-2")["parts"]
    assert 15 < len(parts) < 21


def test_web_api_shows_a_part_with_its_defects_and_picture(api: Api) -> None:
    [part] = api.get("/inspections?verdict=NG&limit=1")["parts"]
    one = api.get(f"/inspections/{part['key']}")
    assert len(one["regions"]) == one["part"]["regions"] == 1
    token = api.tokens[Role.VIEWER]
    path = f"/api/v1/inspections/{part['key']}/picture"
    picture = send(api.site.port, "GET", path, headers=token)
    assert (picture.status, picture.headers["content-type"]) == (200, "image/png")
    assert picture.body.startswith(b"\x89PNG")


def test_web_api_labels_a_part_and_records_which_program_did(api: Api) -> None:
    [part] = api.get("/inspections?verdict=NG&limit=1")["parts"]
    label = {"label": "defect", "kind": "dent", "remark": "from the MES"}
    made = api.post(f"/inspections/{part['key']}/labels", label)
    assert made.status == 201
    assert (
        json.loads(made.body)[-1] | {"who": "token program operator"} == json.loads(made.body)[-1]
    )
    assert api.get("/inspections?kind=dent&limit=1")["parts"][0]["key"] == part["key"]
    entries = api.get("/audit?since=2026-01-01T00:00:00Z", Role.ENGINEER)
    assert (entries[-1]["who"], entries[-1]["action"]) == ("token program operator", "label")
    wrong = api.post(f"/inspections/{part['key']}/labels", {"label": "defect"})
    assert (wrong.status, "a defect has a kind" in wrong.text) == (400, True)


def test_web_api_pauses_and_resumes_a_line_with_a_reason(api: Api, station: Running) -> None:
    [name] = [one["name"] for one in api.get("/stations")]
    wait_until(lambda: api.get(f"/stations/{name}")["state"] == "running", "connected", 20)
    paused = api.post(f"/stations/{name}/pause", {"reason": "tool change"})
    assert paused.status == 200, paused.text
    wait_until(lambda: api.get(f"/stations/{name}")["state"] == "paused", "paused", 20)
    assert api.post(f"/stations/{name}/resume", {"reason": "it is done"}).status == 200
    wait_until(lambda: api.get(f"/stations/{name}")["state"] == "running", "running", 20)
    assert api.get(f"/stations/{name}/counters")["verdicts"]["OK"] > 0
    entries = api.get("/audit?since=2026-01-01T00:00:00Z", Role.ENGINEER)
    words = ("action", "old", "new", "reason")  # as those of the live page
    done = [tuple(e[w] for w in words) for e in entries if e["target"] == f"station {name}"]
    assert done[-2:] == [
        ("pause", "running", "paused", "tool change"),
        ("resume", "paused", "running", "it is done"),
    ]
    assert api.post(f"/stations/{name}/pause", {"reason": "x"}, Role.VIEWER).status == 403


@pytest.mark.parametrize("reason", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "a\0"}])
def test_web_api_changes_nothing_without_a_reason(
    api: Api, station: Running, reason: dict[str, str]
) -> None:
    [name] = [one["name"] for one in api.get("/stations")]
    for request, more in (("pause", {}), ("product", {"product": "cup"})):
        answer = api.post(f"/stations/{name}/{request}", {**more, **reason})
        assert (answer.status, "reason" in answer.text) == (422, True), answer.text
    assert not station.controls.paused


def test_web_api_changes_only_the_station_of_this_name(station: Running, tmp_path: Path) -> None:
    (tmp_path / "stations").mkdir()
    silent = f"tcp://127.0.0.1:{free_ports(4)[0]}"
    for name, endpoint in (("press-9", station.endpoint), ("press-8", silent)):
        (tmp_path / "stations" / f"{name}.toml").write_text(
            f'station = "{name}"\nendpoint = "{endpoint}"\n'
        )
    with WebSite(tmp_path) as site:
        api = Api(site, tmp_path, {role: token_headers(tmp_path, role) for role in Role})
        for request, more in (("pause", {}), ("product", {"product": "cup"})):
            answer = api.post(f"/stations/press-9/{request}", {"reason": "x", **more})
            assert (answer.status, "is station-1, not press-9" in answer.text) == (400, True)
        answer = api.post("/stations/press-8/pause", {"reason": "x"})
        assert (answer.status, "whether it was done is not known" in answer.text) == (503, True)
    assert not station.controls.paused


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/v1/inspections?color=red", 400, "'color=red' is not NAME=VALUE"),
        ("/api/v1/inspections?verdict=BAD", 400, "'verdict=BAD' cannot be used"),
        ("/api/v1/inspections?limit=0", 422, "query.limit cannot be used"),
        ("/api/v1/inspections?limit=9999", 422, "query.limit cannot be used"),
        ("/api/v1/inspections?after=x", 400, "is no place in the archive"),
        ("/api/v1/inspections/9-9", 404, "no inspection has the key 9-9"),
        ("/api/v1/inspections/x", 404, "'x' is no key"),
        ("/api/v1/stations/press-9", 404, "there is no station 'press-9': name one of"),
        ("/api/v1/statistics?product=lid&kind=x", 400, "cannot be narrowed by kind"),
        ("/api/v1/statistics/pareto?of=colour", 422, "query.of cannot be used"),
        ("/api/v1/reports/2026-11-02T07:00.pdf", 404, "no shift begins at"),
        ("/api/v1/reports/2026-11-02T06:00.doc", 422, "path.kind cannot be used"),
        ("/api/v1/audit?since=2026-01-01T00:00:00Z", 403, "needs the role engineer"),
        ("/api/v1/nothing", 404, "GET /api/v1/nothing is no request"),
        ("/api/v2/", 404, "is no request of this program"),
    ],
)
def test_web_api_says_what_is_wrong_and_how_to_fix_it(
    api: Api, path: str, status: int, error: str
) -> None:
    found, text = api.error(path)
    assert (found, error in text) == (status, True), text


def test_web_api_takes_no_token_where_people_work_and_no_wrong_one(api: Api) -> None:
    token = api.tokens[Role.ADMINISTRATOR]
    for path in ("/", "/accounts", "/audit.csv", "/pictures/" + "0" * 64, "/apiv1", "/api-tokens"):
        assert send(api.site.port, "GET", path, headers=token).status == 303
    for wrong in ("Bearer draem_x", "Bearer", "Bearer ", "Bearer " + "x" * 5000):
        status, text = api.error("/api/v1/stations", {"authorization": wrong})
        assert (status, "the token is unknown" in text) == (401, True)
    for other in ("Basic YTpi", "draem_x"):
        assert api.error("/api/v1/stations", {"authorization": other})[0] == 401
    cookie = session_headers(api.folder, Role.VIEWER, api.site.address)
    assert api.error("/api/v1/stations", cookie | {"authorization": "Bearer x"})[0] == 401


def test_web_api_a_revoked_token_is_refused_at_once(api: Api) -> None:
    headers = token_headers(api.folder, Role.VIEWER, "for a moment")
    assert send(api.site.port, "GET", "/api/v1/stations", headers=headers).status == 200
    with Accounts(api.folder / "web" / "accounts.db") as accounts:
        Tokens(accounts).revoke("for a moment")
    assert send(api.site.port, "GET", "/api/v1/stations", headers=headers).status == 401


def test_web_api_a_long_body_is_refused_before_it_is_read(api: Api) -> None:
    answer = api.post("/inspections/1-2/labels", {"label": "unsure", "remark": "x" * 70_000})
    assert (answer.status, "too long" in answer.text) == (413, True)


def test_web_api_describes_itself_without_other_sites(api: Api, browser: Browser) -> None:
    document = send(api.site.port, "GET", "/api/openapi.json", headers=api.tokens[Role.VIEWER]).body
    assert "/v1/inspections/{key}/labels" in json.loads(document)["paths"]
    seen = Seen()
    with opened_page(browser, api.site.address, size=PHONE, dark=True, seen=seen) as page:
        log_in(page, Role.VIEWER)
        page.goto("/api/")
        expect(
            page.get_by_role("heading", name="GET /api/v1/inspections", exact=True)
        ).to_be_visible()
        assert serious_findings(page) == []
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_api_administrators_make_and_revoke_tokens(api: Api, browser: Browser) -> None:
    with opened_page(browser, api.site.address) as page:
        log_in(page)
        page.goto("/api-tokens")
        page.get_by_label("Name").fill("mes")
        page.get_by_role("button", name="Make the token").click()
        secret = page.get_by_label("Secret", exact=True).input_value()
        headers = {"authorization": f"Bearer {secret}"}
        assert send(api.site.port, "GET", "/api/v1/stations", headers=headers).status == 200
        page.get_by_role("button", name="I have copied it").click()
        expect(page.get_by_role("button", name="Revoke mes")).to_be_visible()
        expect(page.get_by_text(secret)).to_have_count(0)
        assert serious_findings(page) == []
        page.get_by_role("button", name="Revoke mes").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("button", name="Revoke mes")).to_have_count(0)
    assert send(api.site.port, "GET", "/api/v1/stations", headers=headers).status == 401
    with Archive(str(api.folder / "archive" / "archive.db")) as archive:
        actions = [entry.action for entry in archive.audit.verified()[0]]
    assert {"token made", "token revoked"} <= set(actions)
    assert secret.encode() not in (api.folder / "web" / "accounts.db").read_bytes()


def test_web_tokens_expire_and_have_names_of_their_own(tmp_path: Path) -> None:
    now = 1e9
    with Accounts(tmp_path / "web" / "accounts.db", lambda: now) as accounts:
        tokens = Tokens(accounts)
        made = tokens.make("mes", Role.OPERATOR, 2, "admin")
        found = tokens.find(made)
        assert found is not None
        assert (found.account.name, found.account.role) == ("token mes", Role.OPERATOR)
        assert tokens.all()[0].used == now
        now += 2 * 86_400
        assert tokens.find(made) is None
        for name, days, why in (
            ("mes", 1, "there is a token"),
            ("", 1, "cannot be"),
            ("b", 0, "days"),
        ):
            with pytest.raises(AccountsError, match=why):
                tokens.make(name, Role.VIEWER, days, "admin")
        with pytest.raises(AccountsError, match="how tokens are named"):
            accounts.add("Token mes", PASSWORD, Role.VIEWER)


def test_web_attempts_are_limited_for_each_address_and_forgotten() -> None:
    now = 0.0
    attempts = Attempts(lambda: now)
    for _ in range(MOST):
        assert attempts.wait_s("10.0.0.1") == 0
        attempts.failed("10.0.0.1")
    assert 0 < attempts.wait_s("10.0.0.1") <= WITHIN_S + 1
    assert attempts.wait_s("10.0.0.2") == 0
    now = WITHIN_S
    assert attempts.wait_s("10.0.0.1") == 0
    for n in range(2 * ADDRESSES):
        attempts.failed(f"address {n}")
    assert len(attempts._failures) == ADDRESSES
