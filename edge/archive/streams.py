"""How far the archive is with the log of each station."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from edge.archive.rows import EPOCH
from edge.archive.tables import fault, inspection, status, stream


@dataclass(frozen=True)
class Stream:
    """The log of a station: `head` is the number of its last event in the archive.

    A log that was restored from a copy goes on in another `epoch` of the same `stream_id`.
    """

    station: str
    endpoint: str
    stream_id: str
    epoch: int
    head: int


def streams(connection: Connection) -> Sequence[Stream]:
    """All logs by station, the newest of a station last."""
    columns = (getattr(stream.c, name) for name in Stream.__dataclass_fields__)
    query = select(*columns).order_by(stream.c.station, stream.c.id)
    return [Stream(*row) for row in connection.execute(query)]


def last_events(connection: Connection) -> dict[str, datetime]:
    """The time of each station's last archived event."""
    found: dict[str, int] = {}
    for log in connection.execute(select(stream.c.id, stream.c.station)).all():
        for table in (inspection, fault, status):
            newest = select(table.c.at).where(table.c.stream == log.id)
            at = connection.execute(newest.order_by(table.c.seq.desc()).limit(1)).scalar()
            if at is not None:
                found[log.station] = max(at, found.get(log.station, at))
    return {station: EPOCH + timedelta(microseconds=at) for station, at in found.items()}
