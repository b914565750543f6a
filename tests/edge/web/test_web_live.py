"""The live page of one station, as people look at it."""

import re

from playwright.sync_api import Browser, Page, expect

from edge.web.accounts.roles import Role
from tests.support.archive_process import ArchiveProcess
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.running_station import Running
from tests.support.waiting import wait_until
from tests.support.web_site import WebSite, log_in

SHOWN = ".live-holder img"


def opened(page: Page, role: Role) -> None:
    """The page with a picture on it."""
    log_in(page, role)
    page.wait_for_selector(SHOWN)


def test_web_live_shows_verdict_picture_and_outlines(site: WebSite, browser: Browser) -> None:
    seen = Seen()
    with opened_page(browser, site.address, seen=seen) as page:
        opened(page, Role.VIEWER)
        expect(page.locator(".live-word")).to_have_text(re.compile("^(OK|NG)$"))
        expect(page.locator(".live-bar")).to_have_attribute(
            "aria-label", re.compile(r"score 0\.\d{3}, threshold 0\.500")
        )
        page.wait_for_selector(".live-frame-NG .live-outline")  # for a fifth of a second
        expect(page.locator("figcaption")).to_have_text(re.compile(r"Picture: lid-\d+, (OK|NG)"))
        expect(page.locator(".live-chip", has_text="Line")).to_contain_text("running")
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        assert serious_findings(page) == []
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_live_outlines_belong_to_the_picture(site: WebSite, browser: Browser) -> None:
    """Each seventh part is NG: only its picture has outlines, however they come."""
    look = """() => new Promise((done) => {
      const found = [], figure = document.querySelector(".live-picture");
      new MutationObserver(() => queueMicrotask(() => {
        const name = figure.querySelector("figcaption").textContent;
        found.push([name, !!figure.querySelector(".live-outline")]);
        if (found.length >= 20) done(found);
      })).observe(figure, { attributes: true, attributeFilter: ["data-shown"] });
    })"""
    with opened_page(browser, site.address) as page:
        opened(page, Role.VIEWER)
        found = page.evaluate(look)
    for name, has_outline in found:
        number = int(re.findall(r"lid-(\d+)", name)[0])
        assert has_outline <= (number % 7 == 0), name


def test_web_live_heatmap_on_a_switch(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        opened(page, Role.VIEWER)
        expect(page.locator(".live-heat")).to_have_count(0)
        page.locator(".live-switch").click()
        expect(page.locator(".live-heat")).to_have_count(1)


def test_web_live_on_a_phone_in_german_and_dark(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address, size=PHONE, dark=True) as page:
        opened(page, Role.OPERATOR)
        page.get_by_label("Account").click()
        page.get_by_text("Deutsch").click()
        expect(page.get_by_role("heading", name="Letzter Ausschuss")).to_be_visible()
        expect(page.locator(".live-chip", has_text="Linie")).to_contain_text("läuft")
        expect(page.locator(".live-word")).to_have_text(re.compile("^(OK|NG)$"))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert serious_findings(page) == []


def test_web_live_rejects_and_shift_come_from_the_archive_too(
    station: Running, site: WebSite, browser: Browser
) -> None:
    with opened_page(browser, site.address) as page:
        opened(page, Role.VIEWER)
        expect(page.locator(".live-problem")).to_contain_text(["It has nothing of this station."])
        with ArchiveProcess(site.folder, station.endpoint):
            archive = page.locator(".live-chip", has_text="Archive")
            expect(archive).to_contain_text("up to date", timeout=60_000)
            expect(page.locator(".live-numbers")).to_contain_text(re.compile(r"NG rate1\d\.\d %"))
            expect(page.locator(".live-reject:visible")).to_have_count(20)
            wait_until(lambda: opens_with_a_picture(page), "a reject's picture is archived in time")
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_role("link", name="All about this part")).to_have_attribute(
                "href", re.compile(r"^/parts/\d+-\d+$")
            )
            outline = dialog.locator(".live-outline path").first
            expect(outline).to_have_attribute("d", re.compile(r"^M\d+ \d+h"))
            frame = dialog.locator(".live-outline")
            expect(frame).to_have_attribute("viewBox", re.compile(r"^0 0 [1-9]\d* [1-9]\d*$"))
            assert serious_findings(page, within=".live-large") == []


def opens_with_a_picture(page: Page) -> bool:
    """Open the reject before the last ones; so many come that it leaves the list in two seconds."""
    page.locator(".live-reject:visible").nth(15).click()
    dialog = page.get_by_role("dialog")
    try:
        expect(dialog.locator("img")).to_be_visible(timeout=1500)
    except AssertionError:
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        return False
    return True


def test_web_live_a_slow_browser_skips_parts(site: WebSite, browser: Browser) -> None:
    """What came while it stood still is not shown late, and nothing is added to the page."""
    block = """() => new Promise((done) => {
      let messages = 0;
      window.socket.onAny((name) => (messages += name === "run_javascript"));
      const until = performance.now() + 3000;
      while (performance.now() < until);
      setTimeout(() => done(messages), 300);
    })"""
    nodes = "document.querySelectorAll('*').length"
    with opened_page(browser, site.address) as page:
        opened(page, Role.VIEWER)
        expect(page.locator(".live-reject:visible")).to_have_count(20)
        before = page.evaluate(nodes)
        assert page.evaluate(block) < 20, "fifty parts came in each second"
        expect(page.locator(".live-word")).to_have_text(re.compile("^(OK|NG)$"))
        assert abs(page.evaluate(nodes) - before) < 10
