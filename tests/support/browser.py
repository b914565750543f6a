"""A real browser: the system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

PANEL = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WAIT_MS = 20_000


@dataclass
class Seen:
    """What a page did that none of ours may do."""

    console_errors: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened_page(
    browser: Browser,
    address: str,
    *,
    size: dict[str, int] = PANEL,
    dark: bool = False,
    seen: Seen | None = None,
) -> Iterator[Page]:
    """A page of a browser without cookies; `seen` collects errors and requests to elsewhere."""
    scheme, width, height = "dark" if dark else "light", size["width"], size["height"]
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        ignore_https_errors=True,
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    watched = seen or Seen()

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            watched.console_errors.append(message.text)

    def on_request(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            watched.foreign_requests.append(request.url)

    page.on("console", on_console)
    page.on("pageerror", lambda error: watched.console_errors.append(str(error)))
    page.on("request", on_request)
    try:
        yield page
    finally:
        context.close()


def serious_findings(page: Page, within: str | None = None) -> list[str]:
    """What axe-core finds wrong for people with disabilities; one line for each serious rule.

    `within` is the selector of the only part that is looked at, such as an open dialog.
    """
    # Half faded in, text has too little contrast for a moment.
    page.wait_for_function(
        "document.getAnimations().every(one =>"
        " one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"
    )
    found = Axe().run(page, context=within).response["violations"]
    return [
        f"{rule['id']}: {rule['help']} ({rule['nodes'][0]['html'][:200]})"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
