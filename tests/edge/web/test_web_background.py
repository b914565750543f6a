"""`draem web` as a process: webhooks registered on the page, reports, and a kill between."""

import json
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from standardwebhooks import Webhook

from edge.archive.archive import Archive
from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.writer import Writer
from tests.support.archived import inspected, reported, write
from tests.support.archived_days import fill_archive
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.waiting import wait_until
from tests.support.web_site import WebSite, log_in
from tests.support.webhook_receiver import Receiver

WORDS = ("--endpoint", "tcp://127.0.0.1:9", "--reports", "out", "--language", "de")


def register(page: Page, url: str) -> str:
    """A hook for all events; its secret."""
    page.goto("/webhooks")
    page.get_by_label("Address").fill(url)
    for box in page.get_by_role("checkbox").all():
        box.click()
    page.get_by_role("button", name="Add").click()
    secret = page.get_by_label("Secret", exact=True).input_value()
    page.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_role("button", name=f"Send a test {url}")).to_be_visible()
    return secret


def test_web_background_work_goes_on_after_kill(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "archive").mkdir()
    database, pictures = fill_archive(tmp_path / "archive", datetime.now(UTC), 1)
    engine = open_database(database)
    writer, stream = Writer(engine, PictureStore(pictures)), "abcdefabcdefabcd"
    out, seen = tmp_path / "out", Seen()
    with Receiver() as receiver:

        def events() -> list[str]:
            return [json.loads(got.body)["type"] for got in receiver.got]

        def ids() -> set[str]:
            return {got.headers["webhook-id"] for got in receiver.got}

        with WebSite(tmp_path, *WORDS) as site:
            wait_until(lambda: len(list(out.glob("shift-*.pdf"))) == 1, "the last shift's report")
            with opened_page(browser, site.address, size=PHONE, dark=True, seen=seen) as page:
                log_in(page)
                page.goto("/webhooks")
                page.get_by_label("Address").fill("http://example.com/")
                page.get_by_role("button", name="Add").click()
                expect(page.get_by_text("http is not encrypted")).to_be_visible()
                secret = register(page, receiver.url)
                page.get_by_role("button", name="Send a test").click()
                wait_until(lambda: events() == ["webhook.test"], "the test", 20)
                page.reload()
                expect(page.get_by_role("cell", name="webhook.test")).to_be_visible()
                assert serious_findings(page) == []
            write(writer, [inspected(1, stream=stream), reported(2, stream=stream)])
            wait_until(lambda: "station.fault" in events(), "the fault", 20)
            site._process.kill()
        write(writer, [reported(n, stream=stream) for n in (3, 4)])
        for path in out.iterdir():
            path.unlink()
        with WebSite(tmp_path, *WORDS, accounts=False):
            wait_until(lambda: len(ids()) >= 4, "faults while it was down", 20)
        found = {got.headers["webhook-id"]: got for got in receiver.got}  # as a receiver does
        bodies = [Webhook(secret).verify(got.body, got.headers) for got in found.values()]
    assert [one["data"].get("event") for one in bodies] == [None, 2, 3, 4]
    assert list(out.iterdir()) == []  # that shift's report was written
    assert (seen.console_errors, seen.foreign_requests) == ([], [])
    with Archive(database) as archive:
        trail = [e for e in archive.audit.verified()[0] if e.action.startswith("webhook ")]
    assert [one.action for one in trail] == ["webhook added", "webhook test"]
    host = receiver.url.removesuffix("/hook")
    assert [one.target.split(" ")[0] for one in trail] == [host, host]
    engine.dispose()
