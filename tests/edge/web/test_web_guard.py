"""What the guard around all routes refuses."""

import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from edge.web.accounts.roles import Role
from tests.support.commands import draem_in_process
from tests.support.web_site import PASSWORD, WebSite

FORM = {"content-type": "application/x-www-form-urlencoded"}


def ask(
    site: WebSite, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    """One request as any program can send it; redirects are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode(errors="replace")
    finally:
        connection.close()


def session_of(site: WebSite, role: Role) -> str:
    """The cookie of a session."""
    form = f"name={role.word}&password={PASSWORD.replace(' ', '+')}"
    status, headers, _ = ask(site, "POST", "/login", form, FORM)
    assert status == 303
    return headers["set-cookie"].split(";")[0]


@pytest.mark.parametrize(
    "path",
    ["/", "/accounts", "/audit.csv", "/pictures/" + "0" * 64, "/_nicegui/client/x", "/nosuch"],
)
def test_web_without_a_session_every_path_leads_to_the_login(site: WebSite, path: str) -> None:
    status, headers, _ = ask(site, "GET", path)
    assert (status, headers["location"].split("?")[0]) == (303, "/login")


def test_web_the_cookie_is_kept_from_scripts_and_other_sites(site: WebSite) -> None:
    form = f"name=viewer&password={PASSWORD.replace(' ', '+')}"
    cookie = ask(site, "POST", "/login", form, FORM)[1]["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_web_a_session_key_that_the_browser_brings_is_not_taken_over(site: WebSite) -> None:
    brought = "draem_session=" + "x" * 43
    form = f"name=viewer&password={PASSWORD.replace(' ', '+')}"
    origin = {"origin": site.address, "cookie": brought}
    status, headers, _ = ask(site, "POST", "/login", form, FORM | origin)
    assert status == 303
    assert not headers["set-cookie"].startswith(brought)
    assert ask(site, "GET", "/", headers={"cookie": brought})[0] == 303


def test_web_a_form_of_another_site_is_refused(site: WebSite) -> None:
    cookie = session_of(site, Role.ADMINISTRATOR)
    for origin in ("http://evil.example", "null", f"http://localhost:{site.port + 1}"):
        headers = FORM | {"cookie": cookie, "origin": origin}
        assert ask(site, "POST", "/login", "name=a&password=b", headers)[0] == 403
    assert ask(site, "POST", "/login", "name=a&password=b", FORM | {"cookie": cookie})[0] == 403


def test_web_another_host_name_is_refused(site: WebSite) -> None:
    assert ask(site, "GET", "/login", headers={"host": "evil.example"})[0] == 400


@pytest.mark.parametrize(
    "there", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\tb"]
)
def test_web_after_the_login_no_other_site_is_opened(site: WebSite, there: str) -> None:
    form = f"name=viewer&password={PASSWORD.replace(' ', '+')}"
    status, headers, _ = ask(site, "POST", f"/login?next={quote(there)}", form, FORM)
    assert (status, headers["location"]) == (303, "/")


def test_web_much_is_not_read_from_somebody_without_a_session(site: WebSite) -> None:
    assert ask(site, "POST", "/login", "name=" + "a" * 5000, FORM)[0] == 413


def test_web_answers_carry_the_headers_that_protect_them(site: WebSite) -> None:
    _, headers, _ = ask(site, "GET", "/login")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    cookie = session_of(site, Role.VIEWER)
    assert ask(site, "GET", "/", headers={"cookie": cookie})[1]["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/pictures/..%2f..%2farchive.db"]
)
def test_web_no_path_leads_out_of_a_folder(site: WebSite, path: str) -> None:
    headers = {"cookie": session_of(site, Role.ADMINISTRATOR)}
    assert ask(site, "GET", path, headers=headers)[0] == 404


def test_web_with_a_self_made_certificate_cookies_stay_on_tls(tmp_path: Path) -> None:
    form = f"name=viewer&password={PASSWORD.replace(' ', '+')}".encode()
    with WebSite(tmp_path, "--self-made") as site:
        trusted = ssl.create_default_context(cafile=tmp_path / "web" / "certificate.pem")
        asked = Request(f"{site.address}/login", form, FORM)
        opener = urlopen(asked, context=trusted)
        assert opener.headers["strict-transport-security"]
        assert opener.status == 200
    assert (tmp_path / "web" / "certificate.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["--host", "0.0.0.0"], "--self-made"),
        (["--host", "0.0.0.0", "--self-made"], "draem account add"),
        (["--certificate", "missing.pem", "--certificate-key", "k.pem"], "there is no file"),
        (["--certificate", "chain.pem"], "belong together"),
        (["--self-made", "--certificate", "chain.pem"], "exclude each other"),
        (["--name", "*"], "write a name or an address alone"),
        (["--name", "*.plant"], "write a name or an address alone"),
        (["--name", "https://draem.plant/"], "write a name or an address alone"),
        (["--host", "*"], "write a name or an address alone"),
    ],
)
def test_web_does_not_serve_others_unsafely(tmp_path: Path, words: list[str], fix: str) -> None:
    done = draem_in_process("web", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert fix in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
