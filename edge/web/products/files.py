"""Routes that browsers load: pictures, the preview, reports, overlays, exported releases."""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from fastapi import FastAPI, HTTPException
from starlette.responses import FileResponse, Response

from edge.base.errors import DraemError
from edge.product.product import check_name, find_version
from edge.vision.image_files import read_image
from edge.web.jobs.job import Job, JobError, State
from edge.web.products.bench import RUNS
from edge.web.products.draft import DraftFolder
from edge.web.products.picture_folder import picture_folder
from edge.web.site import Site

SIDES = (0, 240)
AN_HOUR = {"cache-control": "private, max-age=3600"}
REPORT = {
    # A report may come from another station: its HTML runs no script and loads nothing.
    "content-security-policy": "sandbox; default-src 'none'; img-src data:; style-src "
    "'unsafe-inline'; frame-ancestors 'none'"
}
Result = TypeVar("Result")
PLAIN = re.compile(r"[\w-]+\.png")


def add_files(app: FastAPI, site: Site) -> None:
    """All of them; every account may look."""
    settings = site.settings

    @app.get("/products/{name}/pictures/{file:path}")
    def picture(name: str, file: str, side: int = 0, removed: bool = False) -> Response:
        def path() -> Path:
            return picture_folder(settings.images, name).path(file, removed=removed)

        return _image(path, side)

    @app.get("/products/{name}/preview")
    def preview(name: str) -> Response:
        return _image(lambda: DraftFolder(settings.folder, name).preview, 0)

    @app.get("/products/{name}/versions/{version}/calibration/{file}")
    def calibration_frame(name: str, version: str, file: str) -> Response:
        folder = _found(lambda: find_version(settings.products, name, version))
        return _image(lambda: folder / "calibration" / _plain(file), 0)

    @app.get("/products/{name}/versions/{version}/report")
    def calibration_report(name: str, version: str) -> Response:
        folder = _found(lambda: find_version(settings.products, name, version))
        return _report(folder / "calibration.html")

    @app.get("/products/{name}/training")
    def training_report(name: str) -> Response:
        _found(lambda: check_name(name))
        return _report(RUNS / name / "training.html")

    @app.get("/products/{name}/tries/{job}/{file}")
    def tried(name: str, job: str, file: str) -> Response:
        maps = _found(lambda: maps_of(site, name, site.jobs.find(job)))
        return _image(lambda: maps / _plain(file), 0)

    @app.get("/products/{name}/exports/{job}")
    def exported(name: str, job: str) -> Response:
        done = _found(lambda: site.jobs.find(job))
        found = sorted(export_folder(site, name).glob(f"{name}-*.draem"))
        word = done.spec.words[2] if done.spec.kind == "export" else ""
        files = [path for path in found if path.stem == f"{name}-{word}"]
        if done.state is not State.DONE or not files:
            raise HTTPException(404, "this release is not there any more: export it again")
        return FileResponse(files[0], filename=files[0].name)


def maps_of(site: Site, name: str, job: Job) -> Path:
    """Where a job has written its heatmaps. Raises JobError for one of another kind or product."""
    words = job.spec.words
    if job.spec.kind != "inspect" or job.spec.product != name or "--maps" not in words:
        raise JobError("there is no such try: reload the page")
    token = Path(words[words.index("--maps") + 1]).parent.name
    return DraftFolder(site.settings.folder, name).tries / token / "maps"


def export_folder(site: Site, name: str) -> Path:
    """Where exported releases wait for their download."""
    return DraftFolder(site.settings.folder, name).path / "exports"


def _plain(file: str) -> str:
    if not PLAIN.fullmatch(file):
        raise HTTPException(404, "no such picture")
    return file


def _found(look: Callable[[], Result]) -> Result:
    try:
        return look()
    except DraemError as error:
        raise HTTPException(404, str(error)) from error


def _image(find: Callable[[], Path], side: int) -> Response:
    """Whatever kind of file it is, a browser gets what the project's own reader has decoded."""
    if side not in SIDES:
        raise HTTPException(404, "no such size")
    try:
        path = find()
        data = _encoded(path, path.stat().st_mtime_ns, side)
    except (DraemError, OSError) as error:
        raise HTTPException(404, "no such picture") from error
    kind = "image/jpeg" if side else "image/png"
    return Response(data, media_type=kind, headers=AN_HOUR)


@lru_cache(maxsize=400)
def _small(path: Path, changed: int, side: int) -> bytes:
    image = read_image(path)
    scale = min(1.0, side / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small)[1].tobytes())


def _encoded(path: Path, changed: int, side: int) -> bytes:
    if side:
        return _small(path, changed, side)
    image = np.asarray(read_image(path), np.uint8)
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())


def _report(path: Path) -> Response:
    try:
        return Response(path.read_bytes(), media_type="text/html", headers=REPORT)
    except OSError as error:
        raise HTTPException(404, "there is no report") from error
