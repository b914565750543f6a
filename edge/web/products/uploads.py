"""Routes that take files: pictures of good parts, pictures to try, releases.

Sizes are bounded before a byte is kept, names are made plain, and pictures are decoded by the
reader that training uses.
"""

import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from edge.base.errors import DraemError, ImageError
from edge.base.os_errors import how_to_fix
from edge.product.product import check_name
from edge.web.accounts.roles import NotAllowed, Role
from edge.web.products.commands import Commands
from edge.web.products.draft import DraftFolder
from edge.web.products.intake import Intake, Taken
from edge.web.products.overview import product_names
from edge.web.products.picture_folder import PictureFolder, check_space, picture_folder
from edge.web.site import Site
from edge.web.viewer import Viewer

MOST_BYTES = 4 << 30
SERIES_S = 60.0
KEPT_S = 24 * 3600.0
MOST_TRIED = 200
ADD, TRY = "add pictures", "take pictures to try"


@dataclass
class Series:
    """Files that one person sends one after the other: one entry in the audit trail."""

    intake: Intake
    at: float = field(default_factory=time.monotonic)
    lock: Lock = field(default_factory=Lock)

    @property
    def has_ended(self) -> bool:
        """Whether no file is being taken, and none was for a while."""
        return not self.lock.locked() and time.monotonic() > self.at + SERIES_S


SERIES: dict[tuple[str, str, str], Series] = {}
"""By a digest of the session's key, the action and the product; those that have ended go."""


def add_uploads(app: FastAPI, site: Site) -> None:
    """The three routes."""

    @app.post("/products/import")
    async def release(request: Request) -> Response:
        return await _answered(site, request, lambda v, n, f: _import(site, v, n, f))

    @app.post("/products/{name}/pictures")
    async def pictures(name: str, request: Request) -> Response:
        return await _answered(site, request, lambda v, n, f: _take(site, v, name, n, f))

    @app.post("/products/{name}/try")
    async def to_try(name: str, request: Request) -> Response:
        return await _answered(site, request, lambda v, n, f: _to_try(site, v, name, n, f))


Take = Callable[[Viewer, str, BinaryIO], Awaitable[None]]


async def _answered(site: Site, request: Request, take: Take) -> Response:
    """Check the role and the size, then take the file; errors as a line of text."""
    viewer = site.viewer_of(request)
    try:
        await run_in_threadpool(viewer.require, Role.ENGINEER)
        _check_size(site, request)
        async with _file_of(request) as (name, file):
            await take(viewer, name, file)
    except NotAllowed as error:
        return PlainTextResponse(str(error), 403)
    except DraemError as error:
        return PlainTextResponse(str(error), 422)
    except OSError as error:
        fix = how_to_fix(error) or "try again"
        return PlainTextResponse(f"the file cannot be kept: {error.strerror}: {fix}", 507)
    return PlainTextResponse("")


def _check_size(site: Site, request: Request) -> None:
    """A browser says the length of what it sends; the server reads no more than that."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise ImageError(f"a file has at most {MOST_BYTES >> 30} GB: split it")
    site.settings.folder.mkdir(parents=True, exist_ok=True)
    check_space(site.settings.folder, 2 * int(length))


@asynccontextmanager
async def _file_of(request: Request) -> AsyncIterator[tuple[str, BinaryIO]]:
    async with request.form(max_files=1, max_fields=4) as form:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if not files:
            raise ImageError("no file came: choose one")
        yield files[0].filename or "file", files[0].file


async def _take(site: Site, viewer: Viewer, product: str, name: str, file: BinaryIO) -> None:
    await run_in_threadpool(_check_product, site, product)
    folder = picture_folder(site.settings.images, product)
    series = await _series_of(viewer, ADD, product, folder)

    def take() -> None:
        with series.lock:  # in turn: they have one count
            series.intake.take_upload(name, file)
            series.at = time.monotonic()

    await run_in_threadpool(take)


def _check_product(site: Site, product: str) -> None:
    """Raise ImageError where there is none."""
    if product not in product_names(site):
        raise ImageError(f"there is no product {product[:100]}: make it first")


async def _series_of(viewer: Viewer, action: str, product: str, folder: PictureFolder) -> Series:
    """The series that a file belongs to; a new one has an entry in the audit trail first."""
    key = _key(viewer, action, product)
    for old in [old for old, one in SERIES.items() if one.has_ended]:
        del SERIES[old]
    if key not in SERIES:
        made = await viewer.change(
            Role.ENGINEER, action, product, lambda: Series(Intake(folder)), new="upload"
        )
        SERIES.setdefault(key, made)
    SERIES[key].at = time.monotonic()
    return SERIES[key]


def _key(viewer: Viewer, action: str, product: str) -> tuple[str, str, str]:
    return sha256(viewer.session.key.encode()).hexdigest(), action, product


def end_series(viewer: Viewer, product: str) -> Taken:
    """What the series brought; the next file begins a new one."""
    series = SERIES.pop(_key(viewer, ADD, product), None)
    return series.intake.taken if series else Taken()


async def _to_try(site: Site, viewer: Viewer, product: str, name: str, file: BinaryIO) -> None:
    """Pictures wait in a folder, until somebody lets the product judge them."""
    await run_in_threadpool(_check_product, site, product)
    folder = waiting_folder(site, product)
    await _series_of(viewer, TRY, product, folder)

    def take() -> None:
        intake = Intake(folder)
        intake.take_upload(name, file)
        if intake.taken.reasons:
            raise ImageError(intake.taken.reasons[0])

    await run_in_threadpool(take)


def waiting_folder(site: Site, product: str) -> PictureFolder:
    """The pictures that will be tried next."""
    check_name(product)
    return picture_folder(DraftFolder(site.settings.folder, product).tries, "waiting", MOST_TRIED)


async def _import(site: Site, viewer: Viewer, name: str, file: BinaryIO) -> None:
    path = site.settings.folder / "uploads" / f"{secrets.token_hex(8)}.draem"

    def keep() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_old(path.parent)
        with path.open("wb") as kept:
            shutil.copyfileobj(file, kept, 1 << 20)
        job = Commands(site.settings, "", viewer.account.name).import_release(path)
        site.jobs.submit(job)

    try:
        await viewer.change(Role.ENGINEER, "import release", name[:200], keep)
    except (DraemError, OSError):
        path.unlink(missing_ok=True)
        raise


def _remove_old(folder: Path) -> None:
    for path in folder.iterdir():
        if time.time() > path.stat().st_mtime + KEPT_S:
            path.unlink(missing_ok=True)
