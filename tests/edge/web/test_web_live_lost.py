"""A page that cannot know what the line does must not look alive."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.web.accounts.roles import Role
from tests.support.browser import opened_page, serious_findings
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.web_site import WebSite, log_in

ALIVE = re.compile("^(OK|NG)$")
# In half a second it is six seconds later: a picture is called old after five.
LATER = """() => {
  const now = performance.now.bind(performance);
  setTimeout(() => { performance.now = () => now() + 6000; }, 500);
}"""
AT_ONCE_MS = 5000  # 1.5 s on a machine with nothing else to do


@pytest.fixture
def page(site: WebSite, browser: Browser) -> Iterator[Page]:
    with opened_page(browser, site.address) as opened:
        log_in(opened, Role.VIEWER)
        opened.wait_for_selector(".live-holder img")
        yield opened


def expect_alive(page: Page) -> None:
    expect(page.locator("body")).not_to_have_class(re.compile("live-lost"), timeout=60_000)
    expect(page.locator(".live-word")).to_have_text(ALIVE, timeout=60_000)
    expect(page.locator(".live-stale")).to_have_count(0)


def expect_lost(page: Page) -> None:
    """Says so, shows no verdict, and the old picture is gray."""
    expect(page.locator(".live-word")).to_have_text("no connection", timeout=AT_ONCE_MS)
    assert page.locator(".live-verdict.verdict-OK, .live-verdict.verdict-NG").count() == 0
    assert "grayscale" in page.locator(".live-holder").evaluate("e => getComputedStyle(e).filter")


def test_web_live_a_server_that_stands_still_is_said_at_once(site: WebSite, page: Page) -> None:
    site.signal(signal.SIGSTOP)
    try:
        expect_lost(page)
        opacity = page.locator(".live-rejects").evaluate("e => getComputedStyle(e).opacity")
        assert float(opacity) < 0.5
    finally:
        site.signal(signal.SIGCONT)
    expect_alive(page)


def test_web_live_a_killed_server_is_said_and_its_next_start_found(
    site: WebSite, page: Page
) -> None:
    """A screen on the wall has nobody who reloads it."""
    site.signal(signal.SIGKILL)
    expect_lost(page)
    site.restart()
    expect_alive(page)


def test_web_live_a_picture_that_stands_still_is_gray_and_said(page: Page) -> None:
    """Verdicts go on while pictures do not arrive: the old one must not pass for theirs."""
    picture = page.locator(".live-picture")
    page.route("**/live/*/picture/**", lambda route: route.abort())
    page.evaluate(LATER)
    said = picture.get_by_text("this picture is old: newer ones do not arrive")
    expect(said).to_be_visible()
    assert "grayscale" in page.locator(".live-holder").evaluate("e => getComputedStyle(e).filter")
    expect_alive(page)
    expect(said).to_be_visible()
    page.unroute("**/live/*/picture/**")
    expect(said).to_have_count(0)
    expect(page.locator(".live-frozen")).to_have_count(0)


def test_web_live_a_station_that_ends_is_said_and_its_next_start_found(
    tmp_path: Path, browser: Browser
) -> None:
    port = free_ports(4)[0]
    data, folder = tmp_path / "data", tmp_path / "site"
    data.mkdir()
    folder.mkdir()
    endpoint = f"tcp://127.0.0.1:{port}"
    station = Running(data, endpoint=endpoint)
    with (
        WebSite(folder, "--endpoint", endpoint) as site,
        opened_page(browser, site.address) as page,
    ):
        log_in(page, Role.VIEWER)
        expect_alive(page)
        station.close()
        expect_lost(page)
        expect(page.locator(".live-problem:visible").first).to_contain_text(
            f"No events come from {endpoint}."
        )
        assert serious_findings(page) == []
        again = Running(data, endpoint=endpoint)
        expect_alive(page)
        again.close()


def test_web_live_another_station_at_the_address_is_refused(
    tmp_path: Path, browser: Browser
) -> None:
    """Its verdicts are not those of the station that the page names."""
    data, folder = tmp_path / "data", tmp_path / "site"
    data.mkdir()
    folder.mkdir()
    other = Running(data, station="press-9")
    with (
        WebSite(folder, "--endpoint", other.endpoint) as site,
        opened_page(browser, site.address) as page,
    ):
        log_in(page, Role.VIEWER)
        expect(page.locator(".live-word")).to_have_text("wrong address")
        expect(page.locator(".live-why").first).to_contain_text("is press-9, not station-1")
    other.close()
