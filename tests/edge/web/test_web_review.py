"""Reviews by key and by touch, a second one without the first one's labels, and what they say."""

import re

from playwright.sync_api import Browser, Page, expect

from edge.archive.archive import Archive
from edge.archive.labels import Given
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.roles import Role
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.waiting import wait_until
from tests.support.web_site import WebSite, log_in


def at(page: Page, progress: str | re.Pattern[str]) -> None:
    """Wait until the review is at a part."""
    expect(page.locator(".review-panel .big-number")).to_have_text(progress)


def stored(archive: Archive, key: str, label: str | None) -> None:
    """Wait until the archive has a part's label: the page goes on before."""
    wait_until(lambda: archive.part(key).label == label, f"{key} is labelled {label}")


def test_web_review_by_keys_with_undo(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    seen = Seen()
    with opened_page(browser, archive_site.address, seen=seen) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/review?version=2&take=ng&since=365d")  # parts 6 and 18; 12 has no picture
        at(page, "1 of 2")
        expect(page.get_by_text("1 NG part without a label has no picture")).to_be_visible()
        expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 320)
        ahead = page.locator(".review-ahead img").first
        expect(ahead).to_have_js_property("naturalWidth", 320)
        expect(page.locator(".picture rect.outline")).to_have_count(1)
        assert serious_findings(page) == []
        page.keyboard.press("h")
        expect(page.locator(".picture image")).to_have_count(1)
        page.keyboard.press("d")
        expect(page.get_by_text("Which kind of defect?")).to_be_visible()
        page.keyboard.press("1")  # by name: Dent before scratch
        at(page, "2 of 2")
        stored(archive, "1-18", "defect")
        assert archive.part("1-18").kind == "Dent"
        page.keyboard.press("f")
        expect(page.get_by_text("The end of the queue")).to_be_visible()
        stored(archive, "1-6", "false-reject")
        page.keyboard.press("z")
        at(page, "2 of 2")
        expect(page.get_by_text("The end of the queue")).to_be_hidden()
        stored(archive, "1-6", None)
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".review-given")).to_have_text("defect: Dent")
        page.keyboard.press("m")
        expect(page.get_by_text("This part was not judged OK")).to_be_visible()
        at(page, "1 of 2")
    assert (seen.console_errors, seen.foreign_requests) == ([], [])
    assert [g.label for g in archive.labels("1-6")] == ["false-reject", "withdrawn"]


def test_web_review_by_touch_in_german(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
        accounts.change("engineer", language="de")
    with opened_page(browser, archive_site.address, size=PHONE, dark=True) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/review?take=near&since=365d&version=3")
        expect(page.locator(".review-part")).to_contain_text("nahe der Schwelle")
        shown = page.locator(".picture").get_attribute("aria-label") or ""
        number = shown.removeprefix("Bild von Teil ").partition(":")[0]
        verdict = archive.part(number).verdict
        assert serious_findings(page) == []
        if verdict == "OK":
            page.get_by_role("button", name="gut", exact=False).click()
            stored(archive, number, "good")
        else:
            page.get_by_role("button", name="Fehler", exact=False).first.click()
            page.get_by_role("button", name="scratch").click()
            stored(archive, number, "defect")


def test_web_review_a_label_that_is_refused_comes_back(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/review?take=near&since=365d&version=3")
        at(page, re.compile("1 of"))
        before = page.locator(".review-name").inner_text()
        with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
            accounts.change("operator", role=Role.VIEWER)
        page.keyboard.press("u")
        expect(page.get_by_text("your session has ended")).to_be_visible()
        expect(page.locator(".review-name")).to_have_text(before)
        at(page, re.compile("1 of"))
        page.goto("/review")
        expect(page).to_have_url(re.compile("/login"))
    with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
        accounts.change("operator", role=Role.OPERATOR)


def test_web_review_needs_an_operator(archive_site: WebSite, browser: Browser) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.VIEWER)
        expect(page.get_by_role("link", name="Review")).to_have_count(0)
        assert page.request.get("/review").status == 403


def test_web_review_a_second_one_is_blind_and_compared(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    for key, label in (("1-21", "good"), ("1-22", "good"), ("1-23", "missed"), ("1-25", "good")):
        archive.label(key, Given(label, "eva"))  # type: ignore[arg-type]
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.ADMINISTRATOR)
        page.goto("/review?mode=second&since=365d&version=3&station=line-1")
        at(page, re.compile("1 of [4-9]"))
        count = int(page.locator(".review-panel .big-number").inner_text().split()[-1])
        for number in range(count):
            at(page, f"{number + 1} of {count}")
            assert "missed" not in page.locator(".review-part").inner_text()
            is_ok = "OK" in page.locator(".review-part .verdict").inner_text()
            page.keyboard.press("g" if is_ok else "u")
        expect(page.get_by_text("The end of the queue")).to_be_visible()
        stored(archive, "1-21", "good")
        wait_until(lambda: len(archive.labels("1-21")) == 2, "the last label is stored")
        page.get_by_role("link", name="Agreement of reviewers").click()
        row = page.get_by_role("row", name=re.compile("administrator, eva"))
        expect(row.get_by_role("cell")).to_have_text(
            ["administrator, eva", "4", "3", "75.0 %", "0.00"]
        )
        expect(page.get_by_text("eva: missed")).to_be_visible()
        assert serious_findings(page) == []


def test_web_review_another_threshold_by_the_labels(
    archive_site: WebSite, browser: Browser, archive: Archive
) -> None:
    for key, label in (("1-100", "false-reject"), ("1-110", "missed"), ("1-96", "false-reject")):
        archive.label(key, Given(label, "eva"))  # type: ignore[arg-type]
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/review/threshold?since=365d")
        expect(page.get_by_text("Choose a product and a version")).to_be_visible()
        page.goto("/review/threshold?since=30m&product=lid&version=3")
        expect(page.get_by_role("alert")).to_contain_text("since=30m")
        page.goto("/review/threshold?since=365d&product=lid&version=3")
        expect(page.locator(".chart svg")).to_be_visible()
        expect(
            page.get_by_text(re.compile("Labelled: .* good parts, .* defective part"))
        ).to_be_visible()
        present = page.locator(".plain-table tr.is-present td")
        expect(present.nth(0)).to_have_text("0.5000")
        expect(present.nth(1)).to_have_text("present")
        now = int(present.nth(2).inner_text())
        higher = page.get_by_role("row", name=re.compile(r"\+10 %")).get_by_role("cell")
        expect(higher.nth(2)).to_have_text(str(now - 1))  # part 100 has 0.53
        assert serious_findings(page) == []
        link = page.get_by_role("link", name="Calibrate again with these parts")
        expect(link).to_have_attribute("href", re.compile(r"/products/lid\?step=threshold&query="))
