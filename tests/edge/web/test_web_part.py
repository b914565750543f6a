"""A part's page, used as a person does it."""

import re

from playwright.sync_api import Browser, Page, expect

from edge.archive.archive import Archive
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.roles import Role
from tests.support.archive_with_pictures import BOX
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.web_site import WebSite, log_in


def test_web_part_shows_picture_defects_and_surroundings(
    archive_site: WebSite, browser: Browser
) -> None:
    seen = Seen()
    with opened_page(browser, archive_site.address, seen=seen) as page:
        log_in(page, Role.VIEWER)
        page.goto("/parts/1-18?verdict=NG")
        expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 320)
        outline = page.locator(".picture rect.outline")
        expect(outline).to_have_attribute("x", str(BOX[0]))
        assert serious_findings(page) == []
        page.get_by_role("switch", name="Mask").click()
        mask = page.locator(".picture image")
        expect(mask).to_have_attribute("x", "80")
        expect(mask).to_have_attribute("width", "160")
        page.get_by_role("switch", name="Outlines").click()
        expect(outline).to_have_count(0)
        for text in ("0.900 / 0.500", "80.0 % above", "10.00, 6.00 mm", "6.00 mm²", "-18", "2.5"):
            expect(page.locator("#content")).to_contain_text(text)
        expect(page.locator(".neighbour")).to_have_count(9)
        expect(page.locator(".neighbour[aria-current=true]")).to_contain_text("NG")
        page.get_by_role("link", name="Older").click()
        expect(page).to_have_url(re.compile(r"/parts/1-12\?verdict=NG$"))
        expect(page.get_by_text("No picture: the station had deleted it")).to_be_visible()
        expect(page.get_by_text("the camera does not answer (plug it in)")).to_be_visible()
        page.get_by_role("link", name="Newer").click()
        expect(page).to_have_url(re.compile(r"/parts/1-18\?verdict=NG$"))
        with page.expect_download() as got:
            page.get_by_role("link", name="Picture").click()
        assert got.value.suggested_filename == "1-18.png"
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_part_without_a_verdict_says_why(archive_site: WebSite, browser: Browser) -> None:
    with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
        accounts.change("viewer", language="de")
    with opened_page(browser, archive_site.address, size=PHONE, dark=True) as page:
        log_in(page, Role.VIEWER)
        page.goto("/parts/1-5")
        expect(page.get_by_text("overrun: kam zu schnell")).to_be_visible()
        expect(page.get_by_text("Bewertungen vergibt die Rolle Bediener.")).to_be_visible()
        assert serious_findings(page) == []
        page.goto("/parts/9-9")
        expect(page.get_by_role("alert")).to_contain_text("no inspection has the key 9-9")


def test_web_part_shows_the_same_part_at_other_times(
    archive_site: WebSite, browser: Browser
) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/parts/1-1")
        page.locator(".part-line").click()
        expect(page).to_have_url(re.compile("/parts/1-101$"))


def test_web_part_is_labelled_and_the_label_taken_back(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/parts/1-24")
        expect(page.get_by_role("button", name="Defect", exact=True)).to_be_disabled()
        new_kind(page, "crack")
        page.get_by_label("Remark").fill("left edge")
        page.get_by_role("button", name="Defect", exact=True).click()
        row = page.locator(".plain-table tr.is-present", has_text="left edge")
        expect(row).to_contain_text("defect: crack")
        assert [(g.label, g.who) for g in archive.labels("1-24")] == [("defect", "engineer")]
        page.get_by_role("button", name="Take my label back").click()
        expect(page.get_by_role("cell", name="withdrawn")).to_be_visible()
        assert archive.part("1-24").label is None
    trail = archive.audit.verified()[0]
    assert [(e.who, e.action, e.old, e.new) for e in trail[-3:]] == [
        ("engineer", "defect kind", "", "crack"),
        ("engineer", "label", "", "defect:crack"),
        ("engineer", "label", "defect:crack", ""),
    ]
    assert trail[-1].origin.startswith("web ")


def new_kind(page: Page, name: str) -> None:
    """As an engineer adds one; it is chosen then."""
    page.get_by_role("button", name="New kind of defect").click()
    page.get_by_label("New kind of defect").get_by_role("textbox").fill(name)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Defect", exact=True)).to_be_enabled()


def test_web_part_a_label_needs_the_role_at_that_moment(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/parts/1-30")
        unsure = page.get_by_role("button", name="unsure")
        expect(unsure).to_be_visible()
        with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
            accounts.change("operator", role=Role.VIEWER)
        unsure.click()
        expect(page.get_by_text("your session has ended")).to_be_visible()
    assert archive.labels("1-30") == []
