"""Changes that a station's status events report, as entries of the audit trail."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, select

from edge.archive.audit import Change
from edge.archive.rows import POSSIBLE_US, clean, microseconds
from edge.archive.tables import product, status, version
from edge.events.event import RecordedChange, Status

UNASKED = "no request is known: a start with another product, or an older program"


class StationChanges:
    """The changes of one transaction's status events, in order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._running: dict[int, str | None] = {}  # stream -> the product of its last status
        self.found: list[Change] = []

    def add(self, header: Status, stream: int) -> None:
        """What a status says was changed, and a product that changed without a request."""
        if stream not in self._running:
            self._running[stream] = self._last_product(stream)
        before, now = self._running[stream], f"{clean(header.product)} {clean(header.version)}"
        self._running[stream] = now
        self.found += reported(header)
        if before not in (None, now) and not any(c.action == "switch" for c in header.changes):
            at = datetime.fromisoformat(header.published_at)
            origin = f"station {header.station}"
            self.found.append(
                Change("", origin, "product", origin, before or "", now, UNASKED, happened=at)
            )

    def _last_product(self, stream: int) -> str | None:
        query = (
            select(product.c.name, version.c.name)
            .select_from(status)
            .join(product, product.c.id == status.c.product)
            .join(version, version.c.id == status.c.version)
            .where(status.c.stream == stream)
            .order_by(status.c.seq.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return f"{row[0]} {row[1]}" if row else None


def reported(header: Status) -> Iterator[Change]:
    """The changes that a status reports."""
    station = f"station {header.station}"
    for change in header.changes:
        origin = (change.origin, f"key {change.key}" if change.key else "", station)
        yield Change(
            change.who,
            ", ".join(filter(None, origin)),
            *(change.action, change.target, change.old, change.new, change.reason),
            happened=_time(change),
            change_id=change.id,
        )


def _time(change: RecordedChange) -> datetime | None:
    """When it was made; None for what is no time, since an entry must not fail for it."""
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(change.at)
        if microseconds(at) in POSSIBLE_US:
            return at
    return None
