"""Pictures of the page's screens for docs/web.md, with the product of the last demo on a line.

python -m tests.measure.web_screens            # writes docs/web-*.jpg
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from playwright.sync_api import Page

from edge.archive.archive import Archive
from edge.archive.labels import Given
from edge.archive.query import Query
from tests.support.browser import PANEL, PHONE, chromium, opened_page
from tests.support.ports import free_ports
from tests.support.waiting import wait_until
from tests.support.web_site import WebSite, log_in

DEMO, DOCS = Path("demo"), Path("docs")
RATE, PARTS = 4, 120
QUALITY, DRAWN_MS = 72, 2500
SCREENS = {  # name: path, size, dark
    "live": ("/", PANEL, False),
    "live-phone": ("/", PHONE, True),
    "history": ("/history", PANEL, False),
    "part": ("/parts/{part}", PANEL, False),
    "review": ("/review", PANEL, True),
    "statistics": ("/statistics", PANEL, False),
    "products": ("/products/lid", PANEL, False),
    "accounts": ("/accounts", PANEL, False),
}


def main() -> int:
    if not (DEMO / "products/lid/current").is_dir():
        print("there is no product of a demo: run './just demo' first", file=sys.stderr)
        return 2
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        shutil.copytree(DEMO / "products", folder / "products", symlinks=True)
        port = free_ports(4)[0]
        (folder / "station.toml").write_text(
            f'station = "press-4"\nproduct = "lid"\nendpoint = "tcp://127.0.0.1:{port}"\n'
            f'source = "line://moulded?seed=7&rate={RATE}&defects=0.15"\n'
        )
        for words in (("run",), ("archive", "run", "--ok-one-in", "5")):
            stack.enter_context(_process(folder, *words))
        archive = stack.enter_context(_archive(folder))
        wait_until(lambda: len(archive.find(Query(), PARTS).parts) == PARTS, "parts", 300)
        part = _label_some(archive)
        site = stack.enter_context(WebSite(folder))
        browser = stack.enter_context(chromium())
        for name, (path, size, dark) in SCREENS.items():
            with opened_page(browser, site.address, size=size, dark=dark) as page:
                log_in(page)
                page.goto(path.format(part=part))
                _save(page, name)
    return 0


@contextmanager
def _process(folder: Path, *words: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "draem", *words], cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _archive(folder: Path) -> Archive:
    database = folder / "archive/archive.db"
    wait_until(database.is_file, "the archive is there")
    time.sleep(1)  # its tables
    return Archive(str(database), str(folder / "archive/pictures"))


def _label_some(archive: Archive) -> str:
    """Some labels, and the key of a reject."""
    archive.add_kind("scratch", "maria")
    rejects = archive.find(Query(verdict="NG"), 12).parts
    for reject in rejects[3:]:
        archive.label(reject.key, Given("defect", "maria", "scratch"))
    return rejects[1].key


def _save(page: Page, name: str) -> None:
    """What the window shows, as a small JPEG."""
    page.wait_for_timeout(DRAWN_MS)
    path = DOCS / f"web-{name}.jpg"
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    image = cv2.imread(str(path))
    assert image is not None
    print(f"{path}: {image.shape[1]}x{image.shape[0]}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
