"""Several stations: a tile for each, and the page of one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from edge.web.accounts.roles import Role
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.web_site import WebSite, log_in


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """Press 1 runs, press 2 does not."""
    folder: Path = tmp_path_factory.mktemp("plant")
    running = Running(tmp_path_factory.mktemp("press-1"), station="press-1")
    silent = f"tcp://127.0.0.1:{free_ports(4)[0]}"
    (folder / "stations").mkdir()
    for name, endpoint in (("press-1", running.endpoint), ("press-2", silent)):
        text = f'station = "{name}"\nendpoint = "{endpoint}"\n'
        (folder / "stations" / f"{name}.toml").write_text(text)
    with WebSite(folder) as opened:
        yield opened
    running.close()


def test_web_live_a_tile_for_each_station(site: WebSite, browser: Browser) -> None:
    seen = Seen()
    with opened_page(browser, site.address, dark=True, seen=seen) as page:
        log_in(page, Role.VIEWER)
        one = page.locator(".live-tile", has_text="press-1")
        expect(one.locator(".live-word")).to_have_text(re.compile("^(OK|NG)$"))
        expect(one.locator("img")).to_have_attribute("src", re.compile("^/live/press-1/small/"))
        expect(one.locator(".live-tile-state")).to_have_text("running: lid, version 1")
        two = page.locator(".live-tile", has_text="press-2")
        expect(two.locator(".live-word")).to_have_text("no connection")
        assert serious_findings(page) == []
        one.click()
        expect(page).to_have_url(re.compile("/live/press-1$"))
        expect(page.locator(".live-word")).to_have_text(re.compile("^(OK|NG)$"))
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_live_tiles_fit_on_a_phone(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address, size=PHONE) as page:
        log_in(page, Role.VIEWER)
        page.wait_for_selector(".live-tile img")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert serious_findings(page) == []


def test_web_live_an_unknown_station_is_said(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/live/press-3")
        expect(page.get_by_role("alert")).to_contain_text("there is no station press-3")
