"""A browser for each test file, and a site with a running station or an archive behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from edge.archive.archive import Archive
from tests.support.archive_with_pictures import make_archive
from tests.support.browser import chromium
from tests.support.running_station import Running
from tests.support.web_site import WebSite


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Fifty parts a second, each seventh NG."""
    running = Running(tmp_path_factory.mktemp("station"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def site(station: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """The page of that station, with an account of each role."""
    folder: Path = tmp_path_factory.mktemp("site")
    with WebSite(folder, "--endpoint", station.endpoint) as opened:
        yield opened


@pytest.fixture(scope="module")
def archive_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """The page of an archive with 120 parts; no station runs."""
    folder: Path = tmp_path_factory.mktemp("site")
    make_archive(folder)
    with WebSite(folder) as opened:
        yield opened


@pytest.fixture
def archive(archive_site: WebSite) -> Iterator[Archive]:
    """The archive of that page, to see what was written."""
    with Archive(str(archive_site.folder / "archive" / "archive.db")) as opened:
        yield opened
