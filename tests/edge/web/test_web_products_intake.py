"""What comes into a product: audit entries before pictures, limits, and the work that it takes."""

import asyncio
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from nicegui import Client, ui
from starlette.datastructures import QueryParams

from edge.archive.archive import Archive
from edge.archive.audit_trail import AuditTrail
from edge.archive.errors import ArchiveError
from edge.vision.image_folders import files_below
from edge.web.jobs.job import JobError
from edge.web.products import page as product_page
from edge.web.products import uploads
from edge.web.products.bench import read_bench
from edge.web.products.context import Context
from edge.web.products.intake import Taken, archived_pictures
from edge.web.products.picture_folder import picture_folder
from edge.web.products.steps.pictures import MOST_FRAMES, _at_most
from edge.web.site import Site
from edge.web.viewer import Viewer
from tests.conftest import write_parts
from tests.support.archive_with_pictures import make_archive
from tests.support.site_in_process import app_for, opened_site, viewer_of

Send = Callable[..., tuple[int, str]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened_site(tmp_path) as opened:
        yield opened


@pytest.fixture
def viewer(site: Site) -> Viewer:
    return viewer_of(site)


@pytest.fixture
def send(site: Site, viewer: Viewer) -> Send:
    """Send a file to a route of `lid`, or another product; the status and the text."""
    app = app_for(viewer)
    uploads.add_uploads(app, site)

    async def post(where: str, name: str, data: bytes, product: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return await client.post(f"/products/{product}/{where}", files={"file": (name, data)})

    def send(where: str, data: bytes, name: str = "a.png", product: str = "lid") -> tuple[int, str]:
        answer = asyncio.run(post(where, name, data, product))
        return answer.status_code, answer.text

    return send


def pictures(tmp_path: Path, count: int) -> list[bytes]:
    return [path.read_bytes() for path in write_parts(tmp_path / "made", count, seed=21)]


def zipped(files: list[bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for number, data in enumerate(files):
            opened.writestr(f"{number}.png", data)
    return packed.getvalue()


def actions(site: Site) -> list[str]:
    return [entry.action for entry in site.archive.audit.newest()]


@pytest.mark.parametrize("where", ["pictures", "try"])
def test_web_no_picture_is_taken_without_an_audit_entry(
    site: Site, send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (data,) = pictures(tmp_path, 1)

    def refused(*_: object) -> None:
        raise ArchiveError("the archive is full: make room")

    with monkeypatch.context() as broken:
        broken.setattr(AuditTrail, "record", refused)
        for _ in range(2):  # the second file of a series too
            assert send(where, data) == (422, "the archive is full: make room")
    folder = picture_folder(site.settings.images, "lid")
    assert folder.names() + uploads.waiting_folder(site, "lid").names() == []
    for number in range(2):
        assert send(where, data, f"{number}.png") == (200, "")
    assert len(actions(site)) == 1, "one entry for a series"


def test_web_pictures_for_a_product_that_there_is_not_are_refused(
    site: Site, send: Send, tmp_path: Path
) -> None:
    (data,) = pictures(tmp_path, 1)
    for where in ("pictures", "try"):
        assert send(where, data, product="cap") == (422, "there is no product cap: make it first")
    assert not (site.settings.folder / "products" / "cap").exists()
    assert actions(site) == []


def test_web_series_end_and_keep_no_session_keys(
    send: Send, viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data,) = pictures(tmp_path, 1)
    send("pictures", data)
    assert viewer.session.key not in str(list(uploads.SERIES))
    monkeypatch.setattr(uploads, "SERIES_S", -1.0)
    send("try", data)
    assert {key[1] for key in uploads.SERIES} == {"take pictures to try"}, "the other has ended"


def test_web_pictures_to_try_are_bounded_for_a_zip_too_and_can_be_cleared(
    site: Site, send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_TRIED", 3)
    many = pictures(tmp_path, 5)
    status, text = send("try", zipped(many), "many.zip")
    assert (status, text) == (422, "3 pictures are here already: use or clear these")
    folder = uploads.waiting_folder(site, "lid")
    assert len(folder.names()) == 3
    folder.clear()
    assert folder.names() == []
    assert send("try", many[0]) == (200, ""), "what was there before is taken again"
    assert len(folder.names()) == 1


def test_web_adding_pictures_looks_into_the_folder_once_a_series(
    send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    many, looks = pictures(tmp_path, 12), [0]

    def counted(folder: Path) -> Iterator[Path]:
        looks[0] += 1
        return files_below(folder)

    monkeypatch.setattr("edge.web.products.picture_folder.files_below", counted)
    send("pictures", zipped(many[:6]), "many.zip")
    for number, data in enumerate(many[6:]):
        send("pictures", data, f"more-{number}.png")
    assert looks[0] <= 2
    folder = picture_folder(site.settings.images, "lid")
    assert len(folder.names()) == 12
    folder.throw_out(["more-0.png"])
    (folder.good / "more-1.png").unlink()
    send("pictures", many[6], "again.png")
    send("pictures", many[7], "again.png")
    assert "again.png" in folder.names(), "it was not here any more"
    assert len(folder.names()) == 11, "what was thrown out is known"


def test_web_archived_pictures_are_read_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_archive(tmp_path)
    reads, real = [0], Archive.object

    def counted(archive: Archive, name: str) -> bytes:
        reads[0] += 1
        return real(archive, name)

    monkeypatch.setattr(Archive, "object", counted)
    folder = tmp_path / "archive"
    with Archive(str(folder / "archive.db"), str(folder / "pictures")) as archive:
        found = iter(archived_pictures(archive, "product=lid", 5, Taken()))
        next(found)
        assert reads == [1]
        assert len(list(found)) == 4
        with pytest.raises(ArchiveError, match="has no picture of"):
            list(archived_pictures(archive, "product=cap", 5, Taken()))


def test_web_a_browser_cannot_ask_for_more_pictures_than_the_limit() -> None:
    assert [_at_most(n) for n in (None, -3, 7, 1e9)] == [200, 1, 7, MOST_FRAMES]


def test_web_a_job_that_the_queue_refuses_changes_nothing(site: Site, viewer: Viewer) -> None:
    async def redraw() -> None:
        pass

    context = Context(site, viewer, read_bench(site, "lid"), QueryParams(), redraw, redraw, {})
    spec, prepared = context.commands.release("export", "1", "--to", "exports"), []

    async def submit() -> None:
        await context.submit(spec, prepare=lambda: prepared.append(1))

    asyncio.run(submit())
    with pytest.raises(JobError, match="is under way"):
        asyncio.run(submit())
    assert prepared == [1]


def test_web_a_products_page_is_drawn_once_at_a_time(
    site: Site, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most = 0, 0

    async def step(_: Context) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.to_thread(read_bench, site, "lid")
        ui.label("content")
        inside -= 1

    async def draw() -> int:
        page = product_page.ProductPage(site, viewer, "lid", QueryParams({"step": "pictures"}))
        with Client(ui.page("/test")):
            page._steps, page._content = ui.element("nav"), ui.element("div")
        await asyncio.gather(*(page._redraw() for _ in range(4)))
        return len(page._content.default_slot.children)

    monkeypatch.setitem(product_page.DRAW, "pictures", step)
    assert (asyncio.run(draw()), most) == (1, 1)
