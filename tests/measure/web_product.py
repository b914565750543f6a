"""From pictures of good parts to a running line through the web page, in minutes and clicks.

Run by './just web-product'; '--quick' trains the smallest network for a moment, to try the program.
The person's time is computed from what is done in the browser: CLICK_S for each click, KEY_S for
each key, and LOOK_S for each picture that is looked at.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from playwright.sync_api import Locator, Page, expect

from edge.camera.simulated.renderer import PartRenderer
from edge.web.accounts.roles import Role
from tests.support.browser import chromium, opened_page
from tests.support.ports import free_ports
from tests.support.product_site import running_line
from tests.support.web_site import WebSite, log_in

CLICK_S, KEY_S, LOOK_S = 2.0, 0.3, 0.4
MOST_S, MOST_PERSON_S = 720.0, 180.0
LONGEST_MS = 1_800_000.0
PRODUCT = "lid"


@dataclass
class Person:
    """Does what a person does, and counts it."""

    page: Page
    clicks: int = 0
    keys: int = 0
    looked_at: int = 0
    begun: float = field(default_factory=time.monotonic)

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def button(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def write(self, label: str, text: str) -> None:
        self.page.get_by_label(label).fill(text)
        self.clicks, self.keys = self.clicks + 1, self.keys + len(text)

    def choose(self, label: str, option: str) -> None:
        self.click(self.page.get_by_label(label))
        self.click(self.page.get_by_role("option", name=option))

    @property
    def seconds(self) -> float:
        """What all this takes a person."""
        return CLICK_S * self.clicks + KEY_S * self.keys + LOOK_S * self.looked_at

    def tell(self, what: str) -> None:
        """A line of the table: the machine's seconds, and the person's, since the begin."""
        print(f"{what:<34}{time.monotonic() - self.begun:8.0f} s {self.seconds:8.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="the smallest training")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = write_pictures(folder / "camera", options.pictures)
        write_settings(folder)
        with (
            WebSite(folder) as site,
            chromium() as browser,
            opened_page(browser, site.address) as page,
        ):
            expect.set_options(timeout=LONGEST_MS)
            page.set_default_timeout(LONGEST_MS)
            log_in(page, Role.ENGINEER)
            person = Person(page)
            print(f"{'':<34}{'machine':>10} {'person':>10}")
            give_pictures(person, pictures)
            train(person, quick=options.quick)
            release(person)
            with running_line(folder):
                page.goto("/products")
                expect(page.get_by_text("press-4 runs version 2")).to_be_visible()
                person.tell("the line runs")
    total = time.monotonic() - person.begun + person.seconds
    print(f"{person.clicks} clicks, {person.keys} keys, {person.looked_at} pictures looked at")
    print(f"in all {total / 60:.1f} min, of which the person {person.seconds / 60:.1f} min")
    return int(total > MOST_S or person.seconds > MOST_PERSON_S)


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Good parts, as a camera has written them."""
    folder.mkdir()
    parts = PartRenderer("moulded", 1)
    paths = [folder / f"part_{i:04d}.png" for i in range(count)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), parts.part(i).image)
    return paths


def write_settings(folder: Path) -> None:
    """A station for the product that is to be made."""
    (folder / "station.toml").write_text(
        f'station = "press-4"\nproduct = "{PRODUCT}"\nsource = "line://moulded?rate=2&seed=5"\n'
        f'endpoint = "tcp://127.0.0.1:{free_ports(4)[0]}"\n'
    )


def give_pictures(person: Person, pictures: list[Path]) -> None:
    """A new product, its pictures, and a look at each."""
    page = person.page
    page.goto("/products")
    person.button("New product")
    person.write("Name of the product", PRODUCT)
    person.button("Make the product")
    person.clicks += 4  # the field, and all files of a folder in the dialog
    page.locator("input[type=file]").set_input_files(pictures)
    expect(page.get_by_text(f"{len(pictures)} pictures added")).to_be_visible()
    person.tell("pictures are uploaded")
    person.click(page.get_by_role("link", name="Look through them").first)
    pages = page.get_by_role("navigation", name="Pages").get_by_role("link")
    expect(page.locator(".tile").first).to_be_visible()
    for number in range(2, pages.count() + 1):
        person.click(pages.nth(number - 1))
        expect(pages.nth(number - 1)).to_have_attribute("aria-current", "page")
    person.looked_at += len(pictures)
    person.button("All of these are good parts")
    person.button("Keep and go on")
    person.tell("looked through, whole frame")


def train(person: Person, *, quick: bool) -> None:
    """Train, build and calibrate with one click."""
    page = person.page
    if quick:
        person.click(page.get_by_text("More options"))
        person.choose("Network", "pixels")
        person.choose("Size (pixels only)", "tiny")
        person.write("Input (pixels a side)", "64")
        person.write("Steps, instead of minutes", "150")
    person.write("Rotation up to (degrees)", "3")
    person.button("Train, build and calibrate")
    expect(page.locator("[data-job=train] .job-state").first).to_have_text("done")
    person.tell("trained")
    page.goto(f"/products/{PRODUCT}?step=threshold")
    expect(page.locator("[data-job=calibrate] .job-state").first).to_have_text("done")
    expect(page.get_by_role("heading", name="Version 2 is calibrated")).to_be_visible()
    person.tell("built and calibrated")


def release(person: Person) -> None:
    """Seal and activate what was made."""
    person.click(person.page.get_by_role("link", name="Release and start"))
    person.button("Seal and activate version 2")
    person.click(person.page.get_by_role("dialog").get_by_role("button", name="Seal and activate"))
    expect(person.page.locator("[data-job=activate] .job-state").first).to_have_text("done")
    person.tell("released")


if __name__ == "__main__":
    sys.exit(main())
