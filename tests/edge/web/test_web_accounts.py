"""Accounts: roles, lock-out, sessions, the page for administrators, the audit trail's page."""

import csv
import io
import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.archive.places import DATABASE
from edge.web.accounts.accounts import FREE_FAILURES, LOCK_S, Accounts
from edge.web.accounts.database import AccountsError
from edge.web.accounts.roles import Role
from edge.web.accounts.sessions import IDLE_S, LONGEST_S, Sessions
from tests.support.browser import PANEL, PHONE, Seen, opened_page, serious_findings
from tests.support.commands import draem_in_process
from tests.support.web_site import PASSWORD, WebSite, log_in


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Accounts:
    made = Accounts(tmp_path / "web" / "accounts.db", clock)
    made.add("maria", PASSWORD, Role.ADMINISTRATOR)
    return made


def test_web_an_account_is_locked_for_longer_after_each_failure(
    accounts: Accounts, clock: Clock
) -> None:
    for _ in range(FREE_FAILURES + 1):
        with pytest.raises(AccountsError, match="wrong"):
            accounts.check_password("maria", "not this one")
    with pytest.raises(AccountsError, match="try again in 1 minutes"):
        accounts.check_password("maria", PASSWORD)
    clock.now += LOCK_S + 1
    with pytest.raises(AccountsError, match="wrong"):
        accounts.check_password("maria", "nor this one")
    clock.now += LOCK_S + 1
    with pytest.raises(AccountsError, match="try again"):
        accounts.check_password("maria", PASSWORD)
    clock.now += LOCK_S
    assert accounts.check_password("Maria", PASSWORD).name == "maria"


def test_web_an_unknown_name_is_refused_as_a_wrong_password_is(accounts: Accounts) -> None:
    with pytest.raises(AccountsError, match=r"^name or password is wrong$"):
        accounts.check_password("nobody", PASSWORD)


def test_web_the_last_administrator_stays(accounts: Accounts) -> None:
    with pytest.raises(AccountsError, match="only administrator"):
        accounts.remove("maria")
    with pytest.raises(AccountsError, match="only administrator"):
        accounts.change("maria", role=Role.VIEWER)
    accounts.add("otto", PASSWORD, Role.ADMINISTRATOR)
    accounts.remove("maria")


def test_web_passwords_are_hashed_and_the_file_is_private(
    accounts: Accounts, tmp_path: Path
) -> None:
    for path in (tmp_path / "web").glob("accounts.db*"):
        assert PASSWORD.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_web_a_file_of_accounts_that_others_can_read_is_refused(
    accounts: Accounts, tmp_path: Path
) -> None:
    path = tmp_path / "web" / "accounts.db"
    path.chmod(0o644)
    with pytest.raises(AccountsError, match="chmod 600"):
        Accounts(path)


@pytest.mark.parametrize("name", ["", "-x", "a" * 65, "a/b", "<script>", "a\nb"])
def test_web_impossible_names_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountsError, match="cannot be an account's name"):
        accounts.add(name, PASSWORD, Role.VIEWER)


def test_web_sessions_end_when_idle_and_after_a_week(accounts: Accounts, clock: Clock) -> None:
    sessions = Sessions(accounts)
    maria = accounts.check_password("maria", PASSWORD)
    key = sessions.begin(maria, "here").key
    for _ in range(int(LONGEST_S / IDLE_S * 2) - 1):
        clock.now += IDLE_S / 2
        assert sessions.find(key) is not None
    clock.now += IDLE_S
    assert sessions.find(key) is None
    idle = sessions.begin(maria, "here").key
    clock.now += IDLE_S + 1
    assert sessions.find(idle) is None


def test_web_a_page_that_only_stays_open_does_not_keep_its_session(
    accounts: Accounts, clock: Clock
) -> None:
    sessions = Sessions(accounts)
    key = sessions.begin(accounts.check_password("maria", PASSWORD), "here").key
    clock.now += IDLE_S - 1
    assert sessions.find(key, renew=False) is not None
    clock.now += 2
    assert sessions.find(key) is None


def test_web_a_new_role_or_password_ends_the_sessions(accounts: Accounts) -> None:
    sessions = Sessions(accounts)
    accounts.add("otto", PASSWORD, Role.VIEWER)
    otto = accounts.check_password("otto", PASSWORD)
    key = sessions.begin(otto, "here").key
    accounts.change("otto", language="de")
    assert sessions.find(key) is not None
    accounts.change("otto", role=Role.OPERATOR)
    assert sessions.find(key) is None
    key = sessions.begin(otto, "here").key
    accounts.change("otto", password=PASSWORD + "!")
    assert sessions.find(key) is None


def test_web_account_commands_change_accounts_and_are_recorded(tmp_path: Path) -> None:
    add = draem_in_process(
        "account", "add", "eva", "--role", "administrator", "--who", "root", cwd=tmp_path,
        typed=PASSWORD + "\n",
    )  # fmt: skip
    assert add.returncode == 0, add.stderr
    refused = draem_in_process("account", "role", "eva", "viewer", cwd=tmp_path)
    assert (refused.returncode, "only administrator" in refused.stderr) == (2, True)
    assert draem_in_process("account", "list", cwd=tmp_path).stdout.split() == [
        "eva",
        "administrator",
    ]
    trail = draem_in_process("archive", "verify", "--csv", "trail.csv", cwd=tmp_path)
    assert trail.returncode == 0, trail.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trail.csv").read_text())))
    assert [(r["who"], r["action"], r["target"], r["new"]) for r in rows[:1]] == [
        ("root", "account add", "eva", "administrator")
    ]


def _fill(page: Page, password: str) -> None:
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_label("The same again").fill(password)


def test_web_an_administrator_adds_changes_and_removes_an_account(
    site: WebSite, browser: Browser
) -> None:
    seen = Seen()
    with opened_page(browser, site.address, seen=seen) as page:
        log_in(page)
        page.goto("/accounts")
        page.get_by_label("Name").fill("nina")
        page.get_by_role("button", name="Add", exact=True).click()
        _fill(page, "short")
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_text("10 to 200 characters").first).to_be_visible()
        _fill(page, PASSWORD + " nina")
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_role("listitem").filter(has_text="nina")).to_be_visible()
        page.get_by_role("button", name="Remove nina").click()
        page.get_by_role("button", name="Remove", exact=True).last.click()
        expect(page.get_by_role("listitem").filter(has_text="nina")).to_have_count(0)
        page.goto("/audit")
        table = page.get_by_role("region", name="Audit trail")
        expect(table.get_by_text("account added")).to_be_visible()
        expect(table.get_by_text("account removed")).to_be_visible()
        intact = page.get_by_text("The trail is complete and was not altered.")
        expect(intact).to_have_count(0)  # that reads all of it
        page.get_by_role("button", name="Check that nothing was altered").click()
        expect(intact).to_be_visible()
        assert serious_findings(page) == []
        with sqlite3.connect(site.folder / DATABASE) as database:
            database.execute("UPDATE audit SET who = 'nobody' WHERE number = 1")
        page.get_by_role("button", name="Check that nothing was altered").click()
        expect(page.get_by_text("altered: entry 1 was changed")).to_be_visible()
        got = page.request.get(f"{site.address}/audit.csv")
        actions = [row["action"] for row in csv.DictReader(io.StringIO(got.text()))]
        assert actions[-2:] == ["account added", "account removed"]
        assert "content-length" not in got.headers  # it is sent while it is read
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_ones_own_password_is_changed_with_the_present_one(
    site: WebSite, browser: Browser
) -> None:
    def change(present: str) -> None:
        page.get_by_role("button", name="Change the password").click()
        page.get_by_label("Present password").fill(present)
        _fill(page, PASSWORD + " 2")
        page.get_by_role("button", name="Change", exact=True).last.click()

    with Accounts(site.folder / "web" / "accounts.db") as accounts:
        accounts.add("own", PASSWORD, Role.VIEWER)
        with opened_page(browser, site.address) as page:
            log_in(page, Role.VIEWER, name="own")
            page.goto("/account")
            change("not the present one")
            expect(page.get_by_text("name or password is wrong")).to_be_visible()
            change(PASSWORD)
            expect(page).to_have_url(re.compile("/login$"))
        assert accounts.check_password("own", PASSWORD + " 2").name == "own"


def test_web_the_account_that_is_logged_in_changes_its_language(
    site: WebSite, browser: Browser
) -> None:
    with opened_page(browser, site.address, size=PHONE) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/account")
        page.get_by_label("Language").click()
        page.get_by_role("option", name="Deutsch").click()
        expect(page.get_by_role("heading", name="Ihr Konto")).to_be_visible()
        page.goto("/accounts")
        expect(page.get_by_text("Ihr Konto darf diese Seite nicht sehen")).to_be_visible()


@pytest.mark.parametrize("size", [PANEL, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_web_pages_of_accounts_are_accessible(
    site: WebSite, browser: Browser, size: dict[str, int], dark: bool
) -> None:
    with opened_page(browser, site.address, size=size, dark=dark) as page:
        page.goto("/login")
        assert serious_findings(page) == []
        log_in(page)
        for path in ("/accounts", "/account", "/audit"):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("."))
            assert serious_findings(page) == [], path
