"""How long the pages of History and Review take in a browser, on an archive of many inspections.

Makes the archive of `archive_questions` if the folder is new, gives its NG parts and one OK part in
a hundred a picture, serves it with `draem web`, and does what a person does: COUNT rounds of
opening the list, choosing conditions, turning pages, opening a part, opening a review. A time is
that from the click or key to the drawn answer, as the browser sees it.

  python -m tests.measure.web_history --rows 10000000 --folder big-archive
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page
from sqlalchemy import Engine, text

from edge.archive.database import open_database, reading, writing
from edge.archive.picture_store import PictureStore
from edge.web.accounts.roles import Role
from tests.measure.archive_questions import fill
from tests.support.browser import chromium, opened_page
from tests.support.web_site import WebSite, log_in

PICTURES = 64
DRAWN = "asked => document.querySelector('.part-results')?.dataset.shown === asked"
OTHER = "old => (document.querySelector('.part-line')?.getAttribute('href') ?? old) !== old"
CONNECTED = "() => window.socket?.connected === true"
MOVED = "text => document.querySelector('.review-panel .big-number').innerText !== text"
Times = dict[str, list[float]]


def add_pictures(engine: Engine, store: PictureStore) -> None:
    """Some noise, 640 x 480, named by many rows."""
    random_ = np.random.default_rng(1)
    digests = {}
    for number in range(PICTURES):
        noise = random_.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        image = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
        digests[f"d{number}"] = store.put_all([cv2.imencode(".png", image)[1].tobytes()])[0]
    cases = " ".join(f"WHEN {number} THEN :d{number}" for number in range(PICTURES))
    # NG parts of the made-up archive are those whose number times 7919 ends in less than 20.
    statement = (
        f"UPDATE inspection SET picture = CASE seq % {PICTURES} {cases} END, picture_state = 2 "
        "WHERE verdict <> 2 AND (seq * 7919 % 1000 < 20 OR seq % 100 = 0)"
    )
    with writing(engine) as connection:
        connection.execute(text(statement), digests)


def prepare(folder: Path, rows: int) -> None:
    """The archive in a folder, made once."""
    engine = open_database(str(folder / "archive.db"), create=True)
    with reading(engine) as connection:
        is_filled = bool(connection.execute(text("SELECT count(*) FROM stream")).scalar())
    if not is_filled:
        fill(engine, rows)
        add_pictures(engine, PictureStore(str(folder / "pictures")))
        with writing(engine) as connection:
            connection.execute(text("ANALYZE"))
    engine.dispose()


class Round:
    """One person's way through the pages; each step's time is kept by its name."""

    def __init__(self, page: Page, times: Times, random_: random.Random) -> None:
        self._page, self._times, self._random = page, times, random_
        self._words: dict[str, str] = {}

    def measure(self, name: str, act: Callable[[], object], is_drawn: Callable[[], object]) -> None:
        """The time from before an action to after its answer, in milliseconds."""
        begin = time.perf_counter()
        act()
        is_drawn()
        self._times.setdefault(name, []).append((time.perf_counter() - begin) * 1000)

    def run(self) -> None:
        """All steps."""
        page, random_ = self._page, self._random
        first = page.locator(".part-line").first
        self.measure("History: first page", lambda: page.goto("/history"), first.wait_for)
        page.wait_for_function(CONNECTED)
        self._choose("product", random_.choice(["lid", "cup"]))
        self._choose("verdict", "NG")
        self._choose("station", f"line-{random_.randrange(1, 11)}")
        day = random_.randrange(5, 28)
        page.locator("[data-word=until]").fill(f"2026-10-{day:02}T12:00")
        page.wait_for_url("**until=**")
        newest = first.get_attribute("href")
        self.measure(
            "History: older", page.get_by_text("Older").click,
            lambda: page.wait_for_function(OTHER, arg=newest),
        )  # fmt: skip
        self.measure("A part's page", first.click, page.locator(".facts").wait_for)
        page.goto("/history?verdict=NG")
        self._words = {"verdict": "NG"}
        page.wait_for_function(CONNECTED)
        self._ask("filter all times", page.get_by_role("button", name="All times").click)
        page.get_by_text("More conditions").click()
        self._type("part", f"P{random_.randrange(1, 1_000_000)}")
        self._type("part", "")
        self._type("score_from", "0.99")
        self._type("box", "100+100+80+80")
        since = f"/review?since=2026-10-{day:02}&product=lid"
        shown = page.locator(".review .picture img")
        self.measure("Review: its queue", lambda: page.goto(since), shown.wait_for)
        page.wait_for_function(CONNECTED)
        self._label()

    def _choose(self, name: str, value: str) -> None:
        """Only the choice itself: the menu is open before."""
        self._page.locator(f"[data-word={name}]").click()
        option = self._page.get_by_role("option", name=value, exact=True)
        option.wait_for()
        self._words[name] = value
        self._ask(f"filter {name}", option.click)

    def _type(self, name: str, value: str) -> None:
        field = self._page.locator(f"[data-word={name}]")
        field.fill(value)
        self._words = {n: text for n, text in {**self._words, name: value}.items() if text}
        self._ask(f"filter {name}" if value else "filter taken away", lambda: field.press("Enter"))

    def _ask(self, name: str, act: Callable[[], object]) -> None:
        asked = "&".join(f"{n}={self._words[n]}" for n in ORDER if n in self._words)
        asked = f"?{asked}".replace(":", "%3A").replace("+", "%2B") if asked else ""
        self.measure(name, act, lambda: self._page.wait_for_function(DRAWN, arg=asked))

    def _label(self) -> None:
        """What a reviewer waits for: the next part after a key."""
        progress = self._page.locator(".review-panel .big-number")
        for _ in range(5):
            self.measure(
                "Review: next part",
                partial(self._page.keyboard.press, "ArrowRight"),
                partial(self._page.wait_for_function, MOVED, arg=progress.inner_text()),
            )


ORDER = (
    "since", "until", "station", "product", "version", "verdict", "score_from", "score_to",
    "part", "box",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    prepare(options.folder, options.rows)
    times: Times = {}
    words = ("--database", "archive.db", "--pictures", "pictures")
    is_new = not (options.folder / "web").exists()
    with (
        WebSite(options.folder, *words, accounts=is_new) as site,
        chromium() as browser,
        opened_page(browser, site.address) as page,
    ):
        log_in(page, Role.OPERATOR)
        Round(page, {}, random.Random(0)).run()  # the browser has the program's files now
        for number in range(options.rounds):
            Round(page, times, random.Random(number + 1)).run()
    for name, values in sorted(times.items()):
        p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
        print(f"{name:<24} median {statistics.median(values):6.0f} ms   p95 {p95:6.0f} ms")


if __name__ == "__main__":
    main()
