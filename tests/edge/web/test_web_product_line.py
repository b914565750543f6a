"""From nothing to a running line in a browser, with the smallest training."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from edge.web.accounts.roles import Role
from tests.conftest import Plant
from tests.support.browser import Seen, opened_page, serious_findings
from tests.support.product_site import JOB_MS, copy_plant, expect_job, running_line
from tests.support.web_site import WebSite, log_in

FRAMES = 12


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label).click()
    page.get_by_role("option", name=option).click()


def collect(page: Page) -> None:
    """Make the product `cap` and collect its pictures from the station's camera."""
    page.goto("/products/new")
    page.get_by_label("Name of the product").fill("cap")
    page.get_by_role("button", name="Make the product").click()
    page.get_by_label("How many").fill(str(FRAMES))
    page.get_by_role("button", name="Collect").click()
    expect_job(page, "collect")
    expect(page.locator(".big-number")).to_have_text(f"{FRAMES} pictures")
    page.get_by_role("link", name="Look through them").click()
    expect(page.locator(".tile")).to_have_count(FRAMES)
    page.get_by_role("button", name="All of these are good parts").click()


def draw_crop(page: Page) -> None:
    """Drag a crop over the picture, then give it round numbers."""
    picture = page.get_by_alt_text("A picture of the part")
    expect(picture).to_have_js_property("naturalWidth", 640)
    box = picture.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
    page.mouse.up()
    expect(page.get_by_label("x", exact=True)).to_have_value(re.compile("6[345]"))
    expect(page.get_by_label("width")).to_have_value(re.compile("51[0-4]"))
    page.get_by_label("x", exact=True).fill("60")
    page.get_by_text("Region: tap its corners").click()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.get_by_role("button", name="Close the region").click()
    expect(page.get_by_label("Corners of region-1")).to_have_value(re.compile(r"19[0-4].*"))
    page.get_by_role("button", name="Remove the region region-1").click()
    page.get_by_role("button", name="Keep and go on").click()


def train(page: Page) -> None:
    """Interrupt a long training, go on with it, then do a short one and all that follows it."""
    page.get_by_text("More options").click()
    choose(page, "Network", "pixels")
    choose(page, "Size (pixels only)", "tiny")
    page.get_by_label("Input (pixels a side)").fill("64")
    page.get_by_label("Steps, instead of minutes").fill("90000")
    page.get_by_role("button", name="Only train").click()
    expect(page.get_by_text("of 90,000")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Interrupt").click()
    expect_job(page, "train", "interrupted")
    page.get_by_role("button", name="Go on, then build and calibrate").click()
    expect(page.locator("[data-job=train] .job-output").first).to_contain_text("--resume")
    expect(page.get_by_text("of 90,000")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Interrupt").click()
    expect_job(page, "train", "interrupted")
    expect(page.get_by_text("A training was interrupted.")).to_be_visible()
    page.get_by_text("More options").click()
    page.get_by_label("Steps, instead of minutes").fill("150")
    page.get_by_role("button", name="Start again").click()
    expect_job(page, "train")
    expected = re.compile("expected: .* of simulated anomalies")
    expect(page.locator(".job-expected").first).to_have_text(expected)


def test_web_product_from_a_camera_to_a_running_line(
    calibrated: Plant, tmp_path: Path, browser: Browser
) -> None:
    folder, seen = copy_plant(calibrated, tmp_path), Seen()
    with WebSite(folder) as site, opened_page(browser, site.address, seen=seen) as page:
        log_in(page, Role.ENGINEER)
        collect(page)
        draw_crop(page)
        train(page)
        page.goto("/products/cap?step=build")
        expect_job(page, "build")
        expect(page.get_by_text("scores differ by at most")).to_be_visible()
        page.goto("/products/cap?step=threshold")
        expect_job(page, "calibrate")
        expect(page.get_by_role("heading", name="Version 2 is calibrated")).to_be_visible()
        assert serious_findings(page) == []
        with running_line(folder):
            start(page)
        assert (seen.console_errors, seen.foreign_requests) == ([], [])
    draft = (folder / "web" / "products" / "cap" / "draft.json").read_text()
    assert '"crop": [\n    60,' in draft
    assert '"crop": [\n    60,' in (folder / "products" / "cap" / "2" / "manifest.json").read_text()


def start(page: Page) -> None:
    """The line has the camera now; it changes to the new product."""
    page.goto("/products")
    expect(page.get_by_text("press-4 runs version 2")).to_be_visible()
    page.goto("/products/cap?step=pictures")
    page.get_by_role("button", name="Collect").click()
    expect(page.get_by_text("press-4 is running and has the camera")).to_be_visible()
    page.goto("/products/cap?step=release")
    button = page.get_by_role("button", name="Start", exact=True)
    expect(button).to_be_disabled()
    page.get_by_label("Reason").fill("the next order")
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect_job(page, "switch")
    expect(page.get_by_text("press-4 runs version 2")).to_be_visible()
