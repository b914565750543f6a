"""Pause, resume and change of product, as the page and programs request them: both on record."""

from typing import Literal

from edge.events.control_messages import Health, ProductReply
from edge.web.accounts.roles import Role
from edge.web.live import requests
from edge.web.live.station_feed import StationFeed
from edge.web.viewer import Viewer

REQUESTS = {"pause": ("paused", requests.pause), "resume": ("running", requests.resume)}


async def change_state(
    viewer: Viewer, feed: StationFeed, request: Literal["pause", "resume"], reason: str
) -> Health:
    """Pause a line or resume it. Raises StationRefused, NotAllowed, ArchiveError."""
    new, ask = REQUESTS[request]
    return await viewer.change(
        Role.OPERATOR, request, f"station {feed.name}",
        lambda: ask(feed.addresses, viewer.person(reason)),
        old=feed.state().word, new=new, reason=reason,
    )  # fmt: skip


async def change_product(
    viewer: Viewer, feed: StationFeed, product: str, version: str | None, reason: str
) -> ProductReply:
    """Begin a change of product. Raises StationRefused, NotAllowed, ArchiveError."""
    old = feed.state()
    return await viewer.change(
        Role.OPERATOR, "change product", f"station {feed.name}",
        lambda: requests.switch(feed.addresses, viewer.person(reason), product, version),
        old=f"{old.product} {old.version}", new=f"{product} {version or 'current'}", reason=reason,
    )  # fmt: skip
