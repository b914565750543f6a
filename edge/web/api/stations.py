"""Stations: state, counters, and the requests that change them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from edge.archive.errors import ArchiveError
from edge.base.person import LONGEST_REASON, one_line
from edge.events.client import RequestClient
from edge.events.control_messages import CountersReply, Health, ProductReply, Request
from edge.web.api.errors import missing
from edge.web.live.changes import change_product as begin_change
from edge.web.live.changes import change_state
from edge.web.live.requests import Reply, ask
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


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON),
    AfterValidator(one_line),
]


class Why(BaseModel):
    """The reason, for the audit trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    reason: Reason


class ProductWanted(Why):
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
        return _asked(feed, "counters", CountersReply)

    @router.get("/stations/{name}/product")
    def product(feed: StationFeed = Depends(station)) -> ProductReply:
        """What it judges, and the state of the last change."""
        return _asked(feed, "product", ProductReply)

    @router.post("/stations/{name}/product", status_code=202)
    async def change_product(
        wanted: ProductWanted,
        feed: StationFeed = Depends(station),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> ProductReply:
        """Begin a product change: GET the same address for how it goes. Role operator."""
        return await begin_change(viewer, feed, wanted.product, wanted.version, wanted.reason)

    @router.post("/stations/{name}/{request}")
    async def pause_or_resume(
        request: Literal["pause", "resume"],
        why: Why,
        feed: StationFeed = Depends(station),
        viewer: Viewer = Depends(site.viewer_of),
    ) -> Health:
        """Pause the line, or let it judge again. Role operator."""
        return await change_state(viewer, feed, request, why.reason)


def _asked(feed: StationFeed, request: Literal["counters", "product"], kind: type[Reply]) -> Reply:
    """Ask and wait for the answer. Raises StationRefused, NoAnswer."""
    addresses = feed.addresses
    with RequestClient(addresses.control, addresses.credentials, "--control") as client:
        return ask(client, Request(request=request), kind)


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
