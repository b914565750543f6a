"""The list of inspected parts, used as a person does it."""

import csv
import re
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Locator, Page, expect

from edge.archive.archive import Archive
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.roles import Role
from tests.support.archive_with_pictures import BOX, HOSTILE, PARTS, make_archive
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.web_site import WebSite, log_in


def lines(page: Page) -> Locator:
    return page.locator(".part-line")


def choose(page: Page, word: str, option: str) -> None:
    """An option of a list."""
    page.locator(f"[data-word={word}]").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_web_history_is_filtered_by_choices_that_stand_in_the_address(
    archive_site: WebSite, browser: Browser
) -> None:
    seen = Seen()
    with opened_page(browser, archive_site.address, seen=seen) as page:
        log_in(page, Role.VIEWER)
        page.goto("/history")
        expect(lines(page)).to_have_count(50)
        expect(page.locator(".part-thumb").first).to_have_js_property("naturalWidth", 160)
        assert serious_findings(page) == []
        choose(page, "verdict", "NG")
        expect(page).to_have_url(re.compile(r"/history\?verdict=NG$"))
        expect(lines(page).first).to_contain_text("NG")
        choose(page, "version", "2")
        expect(page).to_have_url(re.compile("version=2&verdict=NG$"))
        expect(lines(page)).to_have_count(3)
        page.go_back()
        expect(lines(page)).to_have_count(22)
        page.go_back()
        expect(lines(page)).to_have_count(50)
        expect(page.locator("[data-word=verdict]")).to_have_value("")
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_history_an_address_opens_with_its_conditions(
    archive_site: WebSite, browser: Browser
) -> None:
    with opened_page(browser, archive_site.address, size=PHONE, dark=True) as page:
        log_in(page, Role.VIEWER)
        page.goto("/history?verdict=NG&score_from=0.5&score_to=0.6&label=missed")
        expect(page.locator("[data-word=score_from]")).to_have_value("0.5")
        expect(page.get_by_text("No part meets all of these conditions.")).to_be_visible()
        assert serious_findings(page) == []
        page.get_by_role("button", name="Label: missed").click()
        expect(lines(page)).to_have_count(6)
        expect(page).to_have_url(re.compile("verdict=NG&score_from=0.5&score_to=0.6$"))
        assert serious_findings(page) == []


def test_web_history_has_the_times_of_the_plant(browser: Browser, tmp_path: Path) -> None:
    make_archive(tmp_path)
    zone = ZoneInfo("Pacific/Kiritimati")  # 14 hours before this machine's
    with (
        WebSite(tmp_path, "--zone", zone.key) as archive_site,
        opened_page(browser, archive_site.address) as page,
    ):
        log_in(page, Role.VIEWER)
        page.goto("/history")
        expect(lines(page)).to_have_count(50)
        page.get_by_role("button", name="Today").click()
        expect(page).to_have_url(re.compile("since="))
        assert f"since={datetime.now(zone):%Y-%m-%d}T00:00" in unquote(page.url)
        begin = f"{datetime.now(zone) - timedelta(minutes=61):%Y-%m-%dT%H:%M}"
        page.goto(f"/history?since={begin}")
        expect(lines(page)).to_have_count(31)
        expect(page.locator("[data-word=since]")).to_have_value(begin)
        got = page.request.get(f"{archive_site.address}/history.csv?since={begin}")
        assert len(got.text().splitlines()) == 1 + 31


def test_web_history_is_turned_older_and_newer(archive_site: WebSite, browser: Browser) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/history")
        first = lines(page).first.inner_text()
        expect(page.get_by_role("link", name="Newer")).to_have_count(0)
        page.get_by_role("link", name="Older").click()
        expect(lines(page).first).not_to_have_text(first, use_inner_text=True)
        expect(page).to_have_url(re.compile(r"\?after="))
        page.go_back()
        expect(lines(page).first).to_have_text(first, use_inner_text=True)
        page.get_by_role("link", name="Older").click()
        expect(lines(page).first).not_to_have_text(first, use_inner_text=True)
        page.get_by_role("link", name="Older").click()
        expect(lines(page)).to_have_count(PARTS - 100)
        expect(page.get_by_role("link", name="Older")).to_have_count(0)
        page.get_by_role("link", name="Newer").click()
        expect(lines(page)).to_have_count(50)
        expect(page.get_by_role("link", name="Older")).to_have_count(1)
        page.get_by_role("link", name="Newer").click()
        expect(lines(page).first).to_have_text(re.compile(re.escape("lid-20")))


def test_web_history_typed_conditions_and_a_drawn_box(
    archive_site: WebSite, browser: Browser
) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/history?verdict=NG")
        page.get_by_text("More conditions").click()
        page.locator("[data-word=trigger]").fill("12")
        page.locator("[data-word=trigger]").press("Enter")
        expect(lines(page)).to_have_count(1)
        expect(lines(page)).to_contain_text("no picture")
        page.locator("[data-word=trigger]").fill("many")
        page.locator("[data-word=trigger]").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("'trigger=many' cannot be used")
        page.locator("[data-word=trigger]").fill("")
        page.locator("[data-word=trigger]").press("Enter")
        page.get_by_role("button", name="Draw a box on a picture").click()
        picture = page.locator(".box-image img")
        expect(picture).to_have_js_property("naturalWidth", 320)
        drag(page, picture, (BOX[0] + 10, BOX[1] + 10), (BOX[0] + 20, BOX[1] + 20))
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page).to_have_url(re.compile("verdict=NG&box="))
        expect(lines(page)).to_have_count(22)
        x, y, width, height = (int(n) for n in unquote(page.url).split("box=")[1].split("+"))
        assert (abs(x - 110), abs(y - 70), abs(width - 10), abs(height - 10)) < (3, 3, 3, 3)
        page.locator("[data-word=box]").fill("0+0+50+50")
        page.locator("[data-word=box]").press("Enter")
        expect(page.get_by_text("No part meets all of these conditions.")).to_be_visible()


def drag(page: Page, picture: Locator, begin: tuple[int, int], end: tuple[int, int]) -> None:
    """Between two pixels of a picture."""
    picture.hover()  # waits until the dialog stands still
    box = picture.bounding_box()
    assert box is not None
    scale = box["width"] / 320
    page.mouse.move(box["x"] + begin[0] * scale, box["y"] + begin[1] * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * scale, box["y"] + end[1] * scale)
    page.mouse.up()


def test_web_history_quick_times_are_dates_in_german(
    archive_site: WebSite, browser: Browser
) -> None:
    with Accounts(archive_site.folder / "web" / "accounts.db") as accounts:
        accounts.change("operator", language="de")
    with opened_page(browser, archive_site.address, dark=True) as page:
        log_in(page, Role.OPERATOR)
        page.goto("/history")
        page.get_by_role("button", name="7 Tage").click()
        expect(page).to_have_url(re.compile(r"since=20\d\d-\d\d-\d\dT\d\d%3A\d\d"))
        expect(lines(page)).to_have_count(50)
        page.goto("/history?since=2h")
        expect(page).to_have_url(re.compile("since=2h$"))
        expect(page.locator("[data-word=since]")).to_have_value(re.compile(r"20\d\d-"))
        assert serious_findings(page) == []


def test_web_history_is_exported_as_the_same_parts(archive_site: WebSite, browser: Browser) -> None:
    with opened_page(browser, archive_site.address) as page:
        page.goto("/history.csv")
        expect(page).to_have_url(re.compile("/login"))
        log_in(page, Role.VIEWER)
        page.goto("/history?version=2")
        with page.expect_download() as got:
            page.get_by_role("link", name="All of them as CSV").click()
        rows = list(csv.DictReader(StringIO(got.value.path().read_text())))
        with Archive(str(archive_site.folder / "archive" / "archive.db")) as archive:
            assert [row["key"] for row in rows] == [f"1-{n}" for n in range(19, 0, -1)]
            assert rows[-1]["at"] == archive.part("1-1").at.isoformat()
        refused = page.request.get("/history.csv?score_from=x")
        assert (refused.status, "score_from=x" in refused.text()) == (400, True)


def test_web_history_shows_names_as_text(archive_site: WebSite, browser: Browser) -> None:
    with opened_page(browser, archive_site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/history?trigger=7")
        expect(lines(page)).to_contain_text(HOSTILE)
        lines(page).click()
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
