"""/pictures/DIGEST and /thumbnails/DIGEST: what the archive has stored."""

import re
from collections.abc import Callable

from fastapi import FastAPI, HTTPException
from starlette.responses import Response

from edge.archive.errors import ArchiveError
from edge.web.site import Site

DIGEST = re.compile(r"[0-9a-f]{64}")
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}  # named by their content


def add_pictures(app: FastAPI, site: Site) -> None:
    """Both routes; every account may see all pictures."""

    @app.get("/pictures/{digest}")
    def picture(digest: str) -> Response:
        return _answer(digest, "image/png", lambda: site.archive.object(digest))

    @app.get("/thumbnails/{digest}")
    def thumbnail(digest: str) -> Response:
        return _answer(digest, "image/jpeg", lambda: site.archive.thumbnail(digest))


def _answer(digest: str, kind: str, read: Callable[[], bytes]) -> Response:
    if not DIGEST.fullmatch(digest):
        raise HTTPException(404, "no such picture")
    try:
        return Response(read(), media_type=kind, headers=FOR_EVER)
    except ArchiveError as error:
        raise HTTPException(404, str(error)) from error
