"""Attacks on the page: scripts in texts, other sites, guessing, paths to other files."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from edge.archive.archive import Archive
from edge.archive.audit import Change
from edge.archive.database import open_database
from edge.archive.labels import Given
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.writer import Writer
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.database import AccountsError
from edge.web.accounts.roles import Role
from edge.web.accounts.sessions import Sessions
from edge.web.attempts import MOST
from tests.support.archived import inspected, reported, write
from tests.support.browser import Seen, opened_page
from tests.support.web_requests import send, session_headers, token_headers
from tests.support.web_site import PASSWORD, WebSite, log_in

SCRIPT = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"
BREAKOUT = "\"'></svg><svg onload=window.hit=1>{{7*7}}${7*7}"
FORM = {"content-type": "application/x-www-form-urlencoded"}
KEY_BYTES = b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """A site whose archive has scripts wherever a station or a person can write."""
    folder = tmp_path_factory.mktemp("hostile")
    database = str(folder / "archive" / "archive.db")
    engine = open_database(database, create=True)
    writer = Writer(engine, PictureStore(str(folder / "archive" / "pictures")))
    now = datetime.now(UTC)
    names = {"station": SCRIPT, "product": BREAKOUT, "version": SCRIPT, "part_id": SCRIPT}
    at = {"captured_at": (now - timedelta(hours=9)).isoformat()}
    recent = {"captured_at": (now - timedelta(minutes=1)).isoformat()}
    parts = [inspected(n, verdict="NG", **names, **(recent if n > 2 else at)) for n in (1, 2, 3)]
    fault = reported(4, station=SCRIPT)
    header = fault.header.model_copy(
        update={"message": SCRIPT, "published_at": recent["captured_at"]}
    )
    write(writer, [*parts, type(fault)(header)])
    engine.dispose()
    with Archive(database) as archive:
        archive.add_kind(SCRIPT, "qe")
        [part] = archive.find(Query(), 1).parts
        archive.label(part.key, Given("defect", "qe", SCRIPT, SCRIPT))
        archive.audit.record(Change(SCRIPT, SCRIPT, SCRIPT, SCRIPT, SCRIPT, SCRIPT, SCRIPT))
    with WebSite(folder, "--endpoint", "tcp://127.0.0.1:9") as site:
        yield site


@pytest.mark.parametrize(
    "path",
    [
        "/statistics?period=week&by=station",
        "/statistics?period=week&by=version",
        f"/statistics?period=week&product={BREAKOUT.replace('{', '%7B')}",
        "/statistics?period=%3Cscript%3Ewindow.hit=1%3C/script%3E",
        "/report",
        "/report?shift=NOW",
        "/report?shift=%3Cscript%3Ewindow.hit=1%3C/script%3E",
        "/audit",
        "/api/v1/inspections",
        "/api/v1/stations/%3Cscript%3Ewindow.hit=1%3C%2Fscript%3E",
        "/login?next=%22%3E%3Cscript%3Ewindow.hit=1%3C/script%3E&language=%3Cscript%3E",
    ],
)
def test_web_scripts_in_names_and_texts_are_only_shown(
    hostile: WebSite, browser: Browser, path: str
) -> None:
    seen = Seen()
    hour = datetime.now().hour
    begin = 6 if 6 <= hour < 14 else 14 if 14 <= hour < 22 else 22
    day = datetime.now() - timedelta(days=hour < 6)
    path = path.replace("NOW", f"{day:%Y-%m-%d}T{begin:02}:00")
    headers = session_headers(hostile.folder, Role.ADMINISTRATOR, hostile.address)
    name, _, value = headers["cookie"].partition("=")
    with opened_page(browser, hostile.address, seen=seen) as page:
        page.context.add_cookies([{"name": name, "value": value, "url": hostile.address}])
        page.goto(path)
        if not path.startswith(("/api/", "/login")):
            expect(page.locator("main#content")).to_be_visible()
            for toggle in page.locator(".chart-head button").all():
                toggle.click()
        assert page.evaluate("window.hit") is None
        assert seen.foreign_requests == []
        assert not [error for error in seen.console_errors if "hit" in error]


def test_web_a_report_shows_the_script_as_text(hostile: WebSite, browser: Browser) -> None:
    with opened_page(browser, hostile.address) as page:
        log_in(page)
        page.goto("/statistics?period=week&by=station")
        toggle = page.get_by_role("button", name="As a table: NG rate by: Station")
        toggle.click()
        expect(page.get_by_role("cell", name=SCRIPT, exact=True)).to_be_visible()


def upgrade(site: WebSite, headers: dict[str, str]) -> bytes:
    """The first line of the answer to a request for a WebSocket."""
    lines = [
        "GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1",
        f"host: 127.0.0.1:{site.port}", "upgrade: websocket", "connection: Upgrade",
        "sec-websocket-version: 13", f"sec-websocket-key: {KEY_BYTES.decode()}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.recv(4096).split(b"\r\n")[0]


def test_web_sockets_of_other_sites_and_of_nobody_are_refused(hostile: WebSite) -> None:
    session = session_headers(hostile.folder, Role.ADMINISTRATOR, hostile.address)
    token = token_headers(hostile.folder, Role.ADMINISTRATOR, "socket")
    other = {"origin": "http://evil.example"}
    assert b" 101 " in upgrade(hostile, session)
    assert b" 403 " in upgrade(hostile, session | other)
    assert b" 403 " in upgrade(hostile, session | {"origin": "null"})
    assert b" 403 " in upgrade(hostile, {"origin": hostile.address})
    assert b" 403 " in upgrade(hostile, token)


@pytest.mark.parametrize("path", ["/api/v1/stations/x/pause", "/login", "/first", "/api/v1/none"])
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1.evil.example"]
)
def test_web_changes_from_other_sites_are_refused(hostile: WebSite, path: str, origin: str) -> None:
    headers = session_headers(hostile.folder, Role.ADMINISTRATOR, hostile.address)
    answer = send(hostile.port, "POST", path, b"{}", headers | {"origin": origin})
    assert answer.status == 403
    without = {"cookie": headers["cookie"]}
    assert send(hostile.port, "POST", path, b"{}", without).status == 403


def test_web_a_link_on_another_site_logs_nobody_out(hostile: WebSite) -> None:
    headers = session_headers(hostile.folder, Role.VIEWER, hostile.address)
    send(hostile.port, "GET", "/logout", headers=headers | {"sec-fetch-site": "cross-site"})
    assert send(hostile.port, "GET", "/", headers=headers).status == 200
    send(hostile.port, "GET", "/logout", headers=headers | {"sec-fetch-site": "same-origin"})
    assert send(hostile.port, "GET", "/", headers=headers).status == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "a b", "127.0.0.1@x"]
)
def test_web_other_host_names_are_refused_for_programs_too(hostile: WebSite, host: str) -> None:
    token = token_headers(hostile.folder, Role.VIEWER, f"host {abs(hash(host))}")
    answer = send(hostile.port, "GET", "/api/v1/stations", headers=token | {"host": host})
    assert answer.status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/../accounts.db", "/pictures/%2e%2e%2f%2e%2e%2fweb%2faccounts.db",
        "/pictures/" + "0" * 63 + "%2f", "/thumbnails/..%5c..%5cweb", "/pictures/" + "A" * 64,
        "/static/../../../web/accounts.db", "/static/..%2f..%2fserver.py", "/static//etc/passwd",
        "/static/%00", "/report.pdf%2f..%2f..?shift=x", "/report.pdf?shift=../../etc/passwd",
        "/_nicegui/3.18.0/static/../../../../etc/passwd",
        "/api/v1/reports/..%2f..%2fetc%2fpasswd.pdf", "/api/v1/inspections/..%2f..%2f1/picture",
    ],
)  # fmt: skip
def test_web_no_path_leads_to_a_file_that_is_not_meant(hostile: WebSite, path: str) -> None:
    headers = session_headers(hostile.folder, Role.ADMINISTRATOR, hostile.address)
    answer = send(hostile.port, "GET", path, headers=headers)
    assert answer.status in (303, 400, 404, 422)
    for secret in ("SQLite format", "def serve", "root:"):
        assert secret not in answer.text


def test_web_guesses_of_passwords_are_slowed_by_account_and_by_address(tmp_path: Path) -> None:
    with WebSite(tmp_path, "--endpoint", "tcp://127.0.0.1:9") as site:
        token = token_headers(tmp_path, Role.VIEWER)

        def guess(name: str, password: str) -> tuple[int, str]:
            form = f"name={name}&password={password}".encode()
            answer = send(site.port, "POST", "/login", form, FORM)
            return answer.status, answer.text

        for _ in range(5):
            assert guess("engineer", "wrong-password")[0] == 403
        status, text = guess("engineer", PASSWORD.replace(" ", "+"))
        assert (status, "too many failures" in text) == (403, True)
        for n in range(MOST - 6):
            assert guess("engineer", f"wrong-password-{n}")[0] == 403
        assert guess("viewer", PASSWORD.replace(" ", "+"))[0] == 429
        wrong = {"authorization": "Bearer draem_wrong"}
        found = [send(site.port, "GET", "/api/", headers=wrong) for _ in range(MOST + 1)]
        assert [answer.status for answer in found] == [401] * MOST + [429]
        assert 0 < int(found[-1].headers["retry-after"]) <= 61
        assert send(site.port, "GET", "/api/", headers=token).status == 429
    with Archive(str(tmp_path / "archive" / "archive.db")) as archive:
        trail = [entry.action for entry in archive.audit.verified()[0]]
    assert trail == ["account locked"]


def test_web_names_in_other_letters_do_not_get_around_rules(tmp_path: Path) -> None:
    with Accounts(tmp_path / "web" / "accounts.db") as accounts:
        accounts.add("Maria", PASSWORD, Role.ADMINISTRATOR)
        session = Sessions(accounts).begin(accounts.all()[0], "test")
        with pytest.raises(AccountsError, match="only administrator"):
            accounts.remove("MARIA")
        with pytest.raises(AccountsError, match="only administrator"):
            accounts.change("maria", role=Role.VIEWER)
        accounts.change("MARIA", password=PASSWORD + "!")
        assert Sessions(accounts).find(session.key) is None


def test_web_two_programs_do_not_share_a_folder(tmp_path: Path) -> None:
    words = ("--endpoint", "tcp://127.0.0.1:9")
    with WebSite(tmp_path, *words):
        command = [sys.executable, "-m", "draem", "web", *words]
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert "another 'draem web' uses web/: stop it" in second.stderr
