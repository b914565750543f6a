"""How far the archive is with the log of each station."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from edge.archive.tables import stream


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
