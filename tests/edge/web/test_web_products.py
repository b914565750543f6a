"""Products in the page: what is known of them, releases, pictures to try, and what is refused."""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from edge.web.accounts.roles import Role
from tests.conftest import Plant, write_parts
from tests.support.browser import PHONE, Seen, opened_page, serious_findings
from tests.support.product_site import copy_plant, expect_job
from tests.support.web_site import WebSite, log_in

STEPS = ("pictures", "look", "view", "train", "build", "threshold", "try", "release")


@pytest.fixture(scope="module")
def site(calibrated: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """Instead of the usual one: a page over the product `lid`, versions 1 and 2."""
    folder = copy_plant(calibrated, tmp_path_factory.mktemp("products"))
    write_parts(folder / "images" / "lid" / "good", 12, seed=4)
    with WebSite(folder) as opened:
        yield opened


def change_language(page: Page, language: str) -> None:
    page.get_by_role("button", name="Account").click()
    page.get_by_text(language).click()


def test_web_products_every_step_is_clean_on_a_panel(site: WebSite, browser: Browser) -> None:
    seen = Seen()
    with opened_page(browser, site.address, seen=seen) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products")
        page.get_by_role("link", name=re.compile("^lid")).click()
        expect(page.locator(".step-done")).to_have_count(4)
        for step in STEPS:
            page.goto(f"/products/lid?step={step}")
            expect(page.locator(".product-content .card").first).to_be_visible()
            if step == "view":
                expect(page.get_by_alt_text("A picture of the part")).to_be_visible()
            assert serious_findings(page) == [], step
    assert (seen.console_errors, seen.foreign_requests) == ([], [])


def test_web_products_a_viewer_looks_on_a_dark_phone_in_german(
    site: WebSite, browser: Browser
) -> None:
    seen = Seen()
    with opened_page(browser, site.address, size=PHONE, dark=True, seen=seen) as page:
        log_in(page, Role.VIEWER)
        change_language(page, "Deutsch")
        expect(page.get_by_role("button", name="Konto")).to_be_visible()
        page.goto("/products/lid?step=threshold")
        expect(page.get_by_text("Version 2 ist kalibriert")).to_be_visible()
        expect(page.get_by_role("button", name="Neu kalibrieren")).to_be_disabled()
        expect(page.locator(".tile img").first).to_be_visible()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        assert serious_findings(page) == []
        page.goto("/products")
        expect(page.get_by_role("button", name="Neues Produkt")).to_have_count(0)
        assert serious_findings(page) == []
        answer = page.request.post(
            "/products/lid/pictures",
            headers={"origin": site.address},
            multipart={"file": {"name": "a.png", "mimeType": "image/png", "buffer": b"x"}},
        )
        assert answer.status == 403
        page.goto("/products/new")
        expect(page.get_by_role("button", name="Make the product")).to_have_count(0)
    assert seen.foreign_requests == []


def test_web_products_wrong_uploads_are_refused_and_said(
    site: WebSite, browser: Browser, tmp_path: Path
) -> None:
    (good,) = write_parts(tmp_path, 1, seed=11)
    whole = good.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("../../escaped/w.png", whole)
        opened.writestr("parts/x.png", whole)
        opened.writestr("defects/y.png", whole)
        opened.writestr("__MACOSX/z.png", whole)
    files = {"whole.png": whole, "cut.png": whole[:5000], "page.png": b"<script>", "a.zip":
             packed.getvalue(), "b.zip": b"PK no zip"}  # fmt: skip
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products/lid?step=pictures")
        expect(page.locator(".big-number")).to_have_text("12 pictures")
        sent: list[FilePayload] = [
            {"name": name, "mimeType": "image/png", "buffer": data} for name, data in files.items()
        ]
        page.locator("input[type=file]").set_input_files(sent)
        expect(page.get_by_text("1 picture added")).to_be_visible()
        expect(page.get_by_text("1 was here already")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("4 pictures refused:")
        refusals = page.locator(".refusal").all_inner_texts()
        reasons = (
            "cut.png .*end is missing",
            "page.png is neither JPEG nor PNG",
            "defects is named as a folder of bad parts",
            "b.zip cannot be unpacked",
        )
        for why, refusal in zip(reasons, refusals, strict=True):
            assert re.search(why, refusal), refusal
        expect(page.locator(".big-number")).to_have_text("13 pictures")
    assert not list(site.folder.rglob("escaped*"))
    assert not list((site.folder / "images").rglob(".new-*")), "nothing half-written"


def test_web_products_the_next_step_opens_as_soon_as_a_picture_is_there(
    site: WebSite, browser: Browser, tmp_path: Path
) -> None:
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products/new")
        page.get_by_label("Name of the product").fill("cup")
        page.get_by_role("button", name="Make the product").click()
        expect(page.locator(".step-needs")).to_have_count(7)
        page.locator("input[type=file]").set_input_files(write_parts(tmp_path, 1, seed=8))
        expect(page.locator(".step-needs")).to_have_count(5)


def test_web_products_a_newer_threshold_is_compared_before_it_is_released(
    site: WebSite, browser: Browser
) -> None:
    product = site.folder / "products" / "lid"
    shutil.copytree(product / "2", product / "3")
    try:
        path = product / "3" / "calibration.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"threshold": 0.9876}))
        path = product / "3" / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "3"}))
        with opened_page(browser, site.address) as page:
            log_in(page, Role.ENGINEER)
            page.goto("/products/lid?step=threshold")
            expect(page.get_by_text("Version 3 is not released")).to_be_visible()
            table = page.get_by_role("region", name="What a release would change")
            expect(table.locator("tbody tr").first).to_contain_text("0.9876")
            expect(table).to_contain_text("Labelled defects missed")
            assert serious_findings(page) == []
            page.get_by_role("link", name="Go on: Release and start").click()
            expect(page.locator(".step-now", has_text="Release and start")).to_be_visible()
            page.get_by_role("button", name="Seal and activate version 3").click()
            expect(page.get_by_role("dialog")).to_contain_text("to 0.9876.")
    finally:
        shutil.rmtree(product / "3")


def test_web_products_pictures_are_thrown_out_and_put_back(site: WebSite, browser: Browser) -> None:
    folder = site.folder / "images" / "lid"
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products/lid?step=look")
        (folder / "removed").touch()  # a file where the folder should be
        page.get_by_role("button", name="Throw out part_003.png").click()
        expect(page.get_by_text(re.compile("removed.*: choose another path"))).to_be_visible()
        (folder / "removed").unlink()
        page.get_by_role("button", name="Throw out part_003.png").click()
        expect(page.get_by_text("thrown out: tap to put it back")).to_be_visible()
        assert (folder / "removed" / "part_003.png").is_file()
        page.goto("/products/lid?step=look&show=removed")
        picture = page.locator(".tile img")
        expect(picture).to_have_count(1)
        expect(picture).to_have_js_property("naturalWidth", 240)
        page.get_by_role("button", name="Put back part_003.png").click()
        expect(page.get_by_role("button", name="Throw out part_003.png")).to_be_visible()
        assert (folder / "good" / "part_003.png").is_file()
        write_parts(site.folder / "outside", 1, seed=1)
        beside = "..%2f..%2f..%2foutside%2fpart_000.png"
        for path in (beside, "..%2f..%2f..%2fstation.toml", "part_999.png"):
            assert page.request.get(f"/products/lid/pictures/{path}").status == 404, path


def test_web_products_a_calibrations_frame_names_are_no_attributes(
    site: WebSite, browser: Browser
) -> None:
    path = site.folder / "products" / "lid" / "2" / "calibration.json"
    whole = path.read_text()
    made = json.loads(whole)
    for name in ('x.png" onerror="document.title=1', "x.png title=1", "../../station.toml"):
        made["frames"][name] = 0.9
    path.write_text(json.dumps(made))
    try:
        with opened_page(browser, site.address) as page:
            log_in(page, Role.ENGINEER)
            page.goto("/products/lid?step=threshold")
            expect(page.locator(".tile img").first).to_be_visible()
            names = page.locator(".tile img").evaluate_all(
                "all => all.map(one => one.getAttributeNames().sort().join())"
            )
            assert set(names) == {"alt,id,loading,src"}
            sources = page.locator(".tile img").evaluate_all("all => all.map(one => one.src)")
            assert all(re.fullmatch(r".*/calibration/[\w-]+\.png", one) for one in sources)
    finally:
        path.write_text(whole)


def test_web_products_tried_pictures_are_shown_with_their_heat(
    site: WebSite, browser: Browser, tmp_path: Path
) -> None:
    good = write_parts(tmp_path / "a", 1, seed=9)
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products/lid?step=try")
        page.locator("input[type=file]").set_input_files(good)
        expect(page.get_by_role("button", name="Judge 1 picture")).to_be_enabled()
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_role("button", name="Judge 0 pictures")).to_be_disabled()
        page.locator("input[type=file]").set_input_files(good)
        page.get_by_role("button", name="Judge 1 picture").click()
        expect_job(page, "inspect")
        expect(page.locator(".tile .verdict")).to_have_text(re.compile("OK|NG"))
        expect(page.locator(".tile img")).to_have_js_property("naturalWidth", 320)


def test_web_products_a_release_is_sealed_activated_exported_and_imported(
    site: WebSite, browser: Browser
) -> None:
    with (
        opened_page(browser, site.address) as page,
        opened_page(browser, site.address) as other,
    ):
        log_in(page, Role.ENGINEER)
        log_in(other, Role.ENGINEER)
        other.goto("/products/lid?step=release")
        page.goto("/products/lid?step=release")
        expect(page.get_by_text("press-4 does not run: start it with")).to_be_visible()
        other.get_by_label("Reason").fill("the next order")
        page.get_by_role("button", name="Seal and activate version 2").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("No file of it, threshold included, can be changed")
        expect(dialog).to_contain_text("It becomes the current version: lines take it")
        assert serious_findings(page, within=".q-dialog .dialog") == []
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        assert page.locator("[data-job=seal]").count() == 0, "nothing without the person's answer"
        page.get_by_role("button", name="Seal and activate version 2").click()
        dialog.get_by_role("button", name="Seal and activate").click()
        expect_job(page, "activate")
        expect_job(other, "activate")  # the second browser sees it too
        expect(other.get_by_label("Reason")).to_have_value("the next order")  # still written
        assert (site.folder / "products" / "lid" / "2" / "seal.json").is_file()
        page.get_by_role("button", name="Export").click()
        expect_job(page, "export")
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download the release").click()
        assert coming.value.suggested_filename == "lid-2.draem"
        product = site.folder / "products" / "lid"
        product.rename(site.folder / "lid-before")  # as on another station
        try:
            page.goto("/products")
            page.locator("input[type=file]").set_input_files(coming.value.path())
            expect_job(page, "import")
            card = page.get_by_role("link", name=re.compile("^lid"))
            expect(card).to_contain_text("1 version")
            assert (product / "2" / "seal.json").is_file()
        finally:
            shutil.rmtree(product, ignore_errors=True)
            (site.folder / "lid-before").rename(product)


def test_web_products_simulated_anomalies_are_previewed(site: WebSite, browser: Browser) -> None:
    with opened_page(browser, site.address) as page:
        log_in(page, Role.ENGINEER)
        page.goto("/products/lid?step=train")
        page.get_by_role("button", name="Preview").click()
        expect_job(page, "preview")
        picture = page.locator("img.preview")
        expect(picture).to_be_visible()
        assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
