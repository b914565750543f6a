"""The statistics and the shift report as people use them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.archive.archive import Archive
from edge.archive.query import Query
from edge.archive.statistics import Shifts
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.roles import Role
from edge.web.statistics.choice import Choice, ChoiceError, choice_of
from tests.support.archived_days import fill_archive
from tests.support.browser import PANEL, PHONE, Seen, opened_page, serious_findings
from tests.support.web_site import WebSite, log_in


@dataclass(frozen=True)
class Plant:
    """A site with three days of two stations."""

    site: WebSite
    database: str


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder: Path = tmp_path_factory.mktemp("statistics")
    (folder / "archive").mkdir()
    database, _ = fill_archive(folder / "archive", datetime.now(UTC), 3)
    with WebSite(folder, "--endpoint", "tcp://127.0.0.1:9") as site:
        yield Plant(site, database)


def card(page: Page, name: str) -> str:
    """The value of one of the numbers at the top."""
    shown = page.locator(".number-card", has_text=name).first.locator(".big-number")
    return shown.inner_text()


def test_web_statistics_count_what_the_archive_counts(plant: Plant, browser: Browser) -> None:
    with Archive(plant.database) as archive:
        [counts] = archive.counts(Query(station="line-1"), [])
    with opened_page(browser, plant.site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/statistics?period=week&by=shift")
        expect(page.get_by_role("heading", name="Control chart of the NG rate")).to_be_visible()
        page.get_by_label("Station").click()
        page.get_by_role("option", name="line-1").click()
        page.wait_for_url(re.compile("station=line-1"))
        expect(page.locator(".number-card").first).to_be_visible()
        parts = counts.ok + counts.ng + counts.no_verdict
        assert card(page, "Parts") == str(parts)
        assert card(page, "NG rate") == f"{100 * (counts.ng_rate or 0):.2f} %"
        page.reload()  # the choice is in the address
        expect(page.locator(".number-card").first).to_contain_text(str(parts))


def test_web_charts_have_their_numbers_as_a_table(plant: Plant, browser: Browser) -> None:
    with Archive(plant.database) as archive:
        days = archive.counts(Query(), ["day"])
    with opened_page(browser, plant.site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/statistics?period=week&by=day")
        page.get_by_role("button", name="As a table: Control chart of the NG rate").click()
        rows = page.get_by_role("region", name="Control chart of the NG rate").locator("tbody tr")
        expect(rows).to_have_count(len(days))
        shown = [rows.nth(i).locator("td").nth(3).inner_text() for i in range(len(days))]
        assert shown == [str(day.ng) for day in days]
        page.get_by_role("button", name="As a chart: Control chart of the NG rate").click()
        expect(rows.first).not_to_be_visible()


def test_web_broken_rules_are_explained_in_words(plant: Plant, browser: Browser) -> None:
    with opened_page(browser, plant.site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/statistics?period=week&by=shift")
        expect(page.locator(".rules li").first).to_contain_text(re.compile(r"\(rule [1-4]\)"))
        expect(page.get_by_text("More than chance")).to_be_visible()
        expect(page.locator(".place").first).to_be_visible()


@pytest.mark.parametrize(
    ("size", "dark", "language"), [(PANEL, False, "de"), (PHONE, True, "en"), (PANEL, True, "en")]
)
def test_web_statistics_and_report_are_accessible(
    plant: Plant, browser: Browser, size: dict[str, int], dark: bool, language: str
) -> None:
    with Accounts(plant.site.folder / "web" / "accounts.db") as accounts:
        accounts.change("viewer", language=language)
    seen = Seen()
    with opened_page(browser, plant.site.address, size=size, dark=dark, seen=seen) as page:
        log_in(page, Role.VIEWER)
        title = {"de": "Schichtbericht", "en": "Shift report"}[language]
        for address in ("/statistics?period=week&by=version", "/report"):
            page.goto(address)
            expect(page.locator(".number-card").first).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert serious_findings(page) == []
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, address
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_report_is_printed_and_kept_as_a_file(plant: Plant, browser: Browser) -> None:
    with opened_page(browser, plant.site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/report")
        with page.expect_download() as download:
            page.get_by_role("link", name="PDF").click()
        assert download.value.suggested_filename.startswith("shift-")
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
        page.emulate_media(media="print")
        expect(page.locator(".site-header")).not_to_be_visible()
        expect(page.get_by_text("Signature")).to_be_visible()
        expect(page.get_by_role("button", name="Print")).not_to_be_visible()


def test_web_a_choice_without_sense_is_said_on_the_page(plant: Plant, browser: Browser) -> None:
    with opened_page(browser, plant.site.address) as page:
        log_in(page, Role.VIEWER)
        page.goto("/statistics?period=range&since=2026-11-09&until=2026-11-02")
        expect(page.get_by_role("alert")).to_contain_text("is after 2026-11-02: correct the dates")
        page.goto("/statistics?period=range&since=2026-01-01&until=2026-01-02")
        expect(page.get_by_text("Nothing was inspected in this period.")).to_be_visible()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"period": "year"}, "'period' in the address cannot be used: write one of today"),
        ({"by": "colour"}, "'by' in the address cannot be used: write one of hour"),
        ({"since": "yesterday"}, "'since' in the address cannot be used: write a day"),
    ],
)
def test_web_addresses_that_cannot_be_understood_are_refused(
    given: dict[str, str], why: str
) -> None:
    with pytest.raises(ChoiceError, match=why):
        choice_of(given)


def test_web_periods_are_those_of_the_plant() -> None:
    now = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    hours = Shifts()
    last = Choice(period="last-shift").query(hours, now)
    assert last.until is not None
    assert last.since is not None
    assert (last.until - last.since).total_seconds() == 8 * 3600
    day = Choice(period="range", since=now.date(), until=now.date()).query(hours, now)
    assert day.until is not None
    assert day.since is not None
    assert (day.until - day.since).total_seconds() == 24 * 3600
    with pytest.raises(ChoiceError, match="too many to show"):
        Choice(period="range", since=now.date().replace(year=2020), by="hour").query(hours, now)
