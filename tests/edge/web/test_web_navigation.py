"""The header of pages that are not in it, and addresses without a page."""

import pytest
from playwright.sync_api import Browser, expect

from edge.web.accounts.roles import Role
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.web_site import WebSite, log_in


@pytest.mark.parametrize(
    ("path", "room"),
    [("/parts/1-1", "History"), ("/review/agreement", "Review"), ("/products/new", "Products")],
)
def test_web_the_room_of_a_page_is_marked(
    site: WebSite, browser: Browser, path: str, room: str
) -> None:
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto(path)
        expect(page.locator('.site-nav [aria-current="true"]')).to_contain_text(room)


@pytest.mark.parametrize("dark", [False, True])
def test_web_an_address_without_a_page_says_so(site: WebSite, browser: Browser, dark: bool) -> None:
    seen = Seen()
    with opened_page(browser, site.address, size=PHONE, dark=dark, seen=seen) as page:
        log_in(page, Role.VIEWER)
        answer = page.goto("/no/such/page")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("alert")).to_contain_text("there is no page at this address")
        expect(page.get_by_role("link", name="History")).to_be_visible()
        assert serious_findings(page) == []
    assert seen.foreign_requests == []


def test_web_a_missing_resource_is_answered_without_a_page(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        log_in(page, Role.VIEWER)
        answer = page.request.get("/pictures/" + "0" * 64)
        assert answer.status == 404
        assert "<html" not in answer.text()
