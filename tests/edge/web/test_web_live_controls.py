"""Pause, resume and change of product from the live page."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Event as StopEvent

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.archive.archive import Archive
from edge.archive.audit import Entry
from edge.archive.places import DATABASE
from edge.base.errors import ProductError
from edge.station.active_product import ActiveProduct
from edge.station.changeover import Changeover
from edge.web.accounts.roles import Role
from tests.support.browser import opened_page, serious_findings
from tests.support.minimal_station import PRODUCT, MeanEngine
from tests.support.running_station import Running
from tests.support.web_site import WebSite, log_in

loaded = StopEvent()


def load(name: str, version: str | None, stopped: object) -> ActiveProduct:
    """A product that is ready when `loaded` is set."""
    assert loaded.wait(60)
    if name != "cup":
        raise ProductError(f"product '{name}' does not exist: name another")
    manifest = PRODUCT.manifest.model_copy(update={"name": name, "version": version or "1"})
    return ActiveProduct.of(replace(PRODUCT, manifest=manifest), MeanEngine())


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    changeover = Changeover(MeanEngine(), load, lambda name, version: None)
    running = Running(tmp_path_factory.mktemp("station"), changeover)
    yield running
    running.close()


@pytest.fixture
def page(site: WebSite, browser: Browser) -> Iterator[Page]:
    with opened_page(browser, site.address) as opened:
        log_in(opened, Role.OPERATOR)
        yield opened


def confirm(page: Page, name: str, reason: str) -> None:
    """Give the reason, without which nothing can be confirmed."""
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name=name)
    expect(button).to_be_disabled()
    dialog.get_by_label("Reason").fill(reason)
    expect(button).to_be_enabled()
    button.click()


def audit_trail(site: WebSite) -> list[Entry]:
    """The entries of the page's archive."""
    with Archive(str(site.folder / DATABASE)) as archive:
        return archive.audit.verified()[0]


def test_web_live_pause_and_resume_are_confirmed_and_on_record(
    site: WebSite, station: Running, page: Page
) -> None:
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious_findings(page, within=".q-dialog .dialog") == []
    confirm(page, "Pause", "the lens is cleaned")
    expect(page.locator(".live-word")).to_have_text("paused")
    expect(page.locator(".live-problem:visible")).to_contain_text(["No part is judged"])
    assert station.controls.paused
    page.get_by_role("button", name="Resume").click()
    confirm(page, "Resume", "it is clean")
    expect(page.locator(".live-chip", has_text="Line")).to_contain_text("running")
    assert not station.controls.paused
    entries = [(e.who, e.action, e.target, e.reason) for e in audit_trail(site)]
    assert entries[-2:] == [
        ("operator", "pause", "station station-1", "the lens is cleaned"),
        ("operator", "resume", "station station-1", "it is clean"),
    ]


def change_to(page: Page, name: str, version: str) -> None:
    page.get_by_role("button", name="Change product").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Product").fill(name)
    dialog.get_by_role("textbox", name="Version").fill(version)
    confirm(page, "Change product", "the next order")


def test_web_live_a_change_of_product_shows_progress_and_result(
    site: WebSite, station: Running, page: Page
) -> None:
    loaded.clear()
    change_to(page, "cup", "2")
    expect(page.get_by_text("Change to cup 2: it is loaded and verified")).to_be_visible()
    button = page.locator("#content").get_by_role("button", name="Change product")
    expect(button).to_be_disabled()  # the dialog, which has one too, may still be closing
    loaded.set()
    expect(page.get_by_text("Changed to cup 2.")).to_be_visible()
    expect(page.locator(".live-product")).to_have_text("cup, version 2")
    change_to(page, "mug", "")
    expect(page.get_by_text("Change to mug failed: product 'mug' does not exist")).to_be_visible()
    last = audit_trail(site)[-1]
    assert (last.action, last.old, last.new) == ("change product", "cup 2", "mug current")


def test_web_live_a_change_that_cannot_be_asked_for_is_said(page: Page) -> None:
    change_to(page, "../evil", "")
    expect(page.get_by_text("this cannot be a product's name")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_visible()
