"""Stations: state, counters, and the requests that change them."""

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from edge.archive.errors import ArchiveError
from edge.base.person import LONGEST_REASON, Person
from edge.events.control_messages import (
    CountersReply,
    Health,
    ProductReply,
    Request,
    SwitchRequest,
)
from edge.web.accounts.roles import Role
from edge.web.api.errors import missing
from edge.web.api.station_requests import ask
from edge.web.live.station_feed import StationFeed
from edge.web.site import Site
from edge.web.viewer import Viewer


class State(BaseModel):
    """A station as this program sees it now."""

    name: str
    level: Literal["good", "warning", "bad"]
    state: str
    message: str
    product: str
    version: str


class Reason(BaseModel):
    """Why, for the audit trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    reason: str = Field("", max_length=LONGEST_REASON)


class ProductWanted(Reason):
    """The product to judge next, in its current version where none is given."""

    product: str = Field(min_length=1, max_length=200)
    version: str | None = None


def add_stations(router: APIRouter, site: Site) -> None:
    """The routes below /stations."""

    def station(name: str) -> StationFeed:
        if name not in site.stations:
            known = ", ".join(site.stations)
            raise missing(ArchiveError(f"there is no station '{name}': name one of {known}"))
        return site.stations[name]

    @router.get("/stations")
    def stations() -> list[State]:
        """All stations with their state."""
        return [_state(feed) for feed in site.stations.values()]

    @router.get("/stations/{name}")
    def one(feed: StationFeed = Depends(station)) -> State:
        """One station."""
        return _state(feed)

    @router.get("/stations/{name}/counters")
    def counters(feed: StationFeed = Depends(station)) -> CountersReply:
        """Its counters since it was started."""
        return ask(feed, Request(request="counters"), CountersReply)

    @router.get("/stations/{name}/product")
    def product(feed: StationFeed = Depends(station)) -> ProductReply:
        """What it judges, and the state of the last change."""
        return ask(feed, Request(request="product"), ProductReply)

    @router.post("/stations/{name}/product", status_code=202)
    async def change_product(
        wanted: ProductWanted,
        feed: StationFeed = Depends(station),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> ProductReply:
        """Begin a product change: GET the same address for how it goes. Role operator."""
        asked = SwitchRequest(product=wanted.product, version=wanted.version)
        new, old = f"{wanted.product} {wanted.version or ''}".strip(), _state(feed).product

        def begin() -> ProductReply:
            return ask(feed, asked, ProductReply, _person(viewer, wanted.reason))

        return await viewer.change(
            Role.OPERATOR, "product change", feed.name, begin, old=old, new=new,
            reason=wanted.reason,
        )  # fmt: skip

    @router.post("/stations/{name}/{request}")
    async def pause_or_resume(
        request: Literal["pause", "resume"],
        why: Reason | None = None,
        feed: StationFeed = Depends(station),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> Health:
        """Pause the line, or let it judge again. Role operator."""
        reason = why.reason if why else ""

        def send() -> Health:
            return ask(feed, Request(request=request), Health, _person(viewer, reason))

        return await viewer.change(Role.OPERATOR, request, feed.name, send, reason=reason)


def _person(viewer: Viewer, reason: str) -> Person:
    """Who asks, as the station writes it into its log."""
    return Person(viewer.account.name, f"web {viewer.session.origin}", reason)


def _state(feed: StationFeed) -> State:
    now = feed.state()
    return State(
        name=feed.name,
        level=now.level,
        state=now.word,
        message=now.message,
        product=now.product,
        version=now.version,
    )
