"""Logging in as people do it."""

import re

from playwright.sync_api import Browser, expect

from edge.web.accounts.roles import Role
from tests.support.browser import Seen, opened_page, serious_findings
from tests.support.web_site import PASSWORD, WebSite, log_in


def test_web_log_in_shows_the_live_page_without_errors(site: WebSite, browser: Browser) -> None:
    seen = Seen()
    with opened_page(browser, site.address, seen=seen) as page:
        log_in(page, Role.VIEWER)
        expect(page.get_by_text("running")).to_be_visible()
        expect(page.locator(".verdict").first).to_have_text(re.compile("OK|NG"))
        assert serious_findings(page) == []
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_a_wrong_password_is_refused_and_said(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        page.goto("/login")
        page.fill("input[name=name]", "viewer")
        page.fill("input[name=password]", PASSWORD + "!")
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("name or password is wrong")


def test_web_without_a_session_only_the_login_is_shown(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        page.goto("/history?verdict=NG")
        expect(page).to_have_url(re.compile(r"/login\?next=/history%3Fverdict%3DNG$"))


def test_web_a_language_keeps_what_the_address_says(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        page.goto("/login?next=/history%3Fverdict%3DNG")
        page.get_by_role("link", name="Deutsch").click()
        page.fill("input[name=name]", "viewer")
        page.fill("input[name=password]", PASSWORD + "!")
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("Name oder Passwort ist falsch")
        expect(page.locator("input[name=name]")).to_have_value("viewer")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        expect(page).to_have_url(re.compile(r"/history\?verdict=NG$"))
