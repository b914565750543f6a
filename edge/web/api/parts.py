"""Inspections: found, looked at, labelled."""

from typing import Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.query import Label
from edge.archive.query import Query as Question
from edge.archive.search import Found
from edge.web.accounts.roles import Role
from edge.web.api.errors import missing
from edge.web.api.questions import asked, described
from edge.web.site import Site
from edge.web.viewer import Viewer

MOST = 500


class Inspections(BaseModel):
    """Inspections, newest first; `after` is for the next request, null after the last."""

    parts: list[Found]
    after: str | None


class OneInspection(BaseModel):
    """An inspection with its defects."""

    part: Found
    regions: list[dict[str, Any]]


class NewLabel(BaseModel):
    """What a part really is; a defect has a kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: Label
    kind: str | None = None
    remark: str = ""


def add_parts(router: APIRouter, site: Site) -> None:
    """The routes below /inspections."""
    archive = site.archive

    @router.get("/inspections", openapi_extra=described())
    def inspections(
        limit: int = Query(50, ge=1, le=MOST),
        after: str | None = Query(None, description="`after` of the answer before"),
        question: Question = Depends(asked),
    ) -> Inspections:
        """Inspections, newest first, page by page."""
        page = archive.find(question, limit, after)
        return Inspections(parts=list(page.parts), after=page.after)

    def part(key: str) -> Found:
        try:
            return archive.part(key)
        except ArchiveError as error:
            raise missing(error) from error

    @router.get("/inspections/{key}")
    def inspection(key: str, found: Found = Depends(part)) -> OneInspection:
        """One inspection by its key."""
        return OneInspection(part=found, regions=archive.regions(key))

    @router.get("/inspections/{key}/picture", response_class=Response)
    def picture(found: Found = Depends(part)) -> Response:
        """The camera's picture, PNG."""
        return _png(site, found.picture, f"its picture is {found.picture_state}")

    @router.get("/inspections/{key}/mask", response_class=Response)
    def mask(found: Found = Depends(part)) -> Response:
        """The mask of its defects, PNG."""
        return _png(site, found.mask, "it has no mask")

    @router.get("/inspections/{key}/labels")
    def labels(key: str, found: Found = Depends(part)) -> list[Given]:
        """All labels of a part, oldest first: the last one counts."""
        return list(archive.labels(key))

    @router.post("/inspections/{key}/labels", status_code=201)
    def label(
        key: str,
        given: NewLabel,
        found: Found = Depends(part),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> list[Given]:
        """Label a part. Needs the role operator."""
        viewer.require(Role.OPERATOR)
        made = Given(given.label, viewer.account.name, given.kind, given.remark)
        archive.label(key, made, f"web {viewer.session.origin}")
        return list(archive.labels(key))


def _png(site: Site, digest: str | None, why: str) -> Response:
    if digest is None:
        raise missing(ArchiveError(f"{why}: ask for another part"))
    try:
        return Response(site.archive.object(digest), media_type="image/png")
    except ArchiveError as error:
        raise missing(error) from error
