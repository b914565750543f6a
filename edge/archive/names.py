"""Streams, products and versions have small numbers in the archive's rows: these are given here."""

from sqlalchemy import Connection, Table, func, insert, select, update

from edge.archive.database import insert_into
from edge.archive.rows import clean
from edge.archive.tables import product, stream, version
from edge.events.event import AnyHeader

Values = dict[str, str | int]


class Names:
    """Numbers of streams, products and versions, remembered between transactions."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], tuple[int, int]] = {}
        self._endpoints: dict[int, str] = {}

    def clear(self) -> None:
        """Forget everything: the numbers may have been rolled back."""
        self._versions.clear()
        self._endpoints.clear()

    def version(self, connection: Connection, name: str, of: str) -> tuple[int, int]:
        """The numbers of a product and of one of its versions, given if they are new."""
        if (name, of) not in self._versions:
            number = _number(connection, product, name=name)
            self._versions[name, of] = number, _number(connection, version, product=number, name=of)
        return self._versions[name, of]

    def stream(self, connection: Connection, stream_id: str, station: str) -> tuple[int, int]:
        """The number and the head of a stream's newest epoch, locked for this transaction."""
        query = (
            select(stream.c.id, stream.c.head)
            .where(stream.c.stream_id == stream_id)
            .order_by(stream.c.epoch.desc())
            .limit(1)
            .with_for_update()
        )
        row = connection.execute(query).first()
        if row is None:
            values: Values = {
                "stream_id": stream_id,
                "epoch": 0,
                "station": station,
                "endpoint": "",
                "head": 0,
            }
            _insert_new(connection, stream, values)
            row = connection.execute(query).one()
        return row.id, row.head

    def new_epoch(self, connection: Connection, header: AnyHeader) -> int:
        """A restored log goes on under a number of its own."""
        newest = select(func.max(stream.c.epoch)).where(stream.c.stream_id == header.stream_id)
        epoch = (connection.execute(newest).scalar() or 0) + 1
        values = {"stream_id": header.stream_id, "endpoint": ""}
        values["station"] = str(clean(header.station))
        made = connection.execute(
            insert(stream).values(**values, epoch=epoch, head=header.seq - 1).returning(stream.c.id)
        )
        return int(made.scalar_one())

    def endpoint(self, connection: Connection, number: int, endpoint: str) -> None:
        """Remember where a stream's events come from."""
        if self._endpoints.get(number) != endpoint:
            connection.execute(
                update(stream).where(stream.c.id == number).values(endpoint=endpoint)
            )
            self._endpoints[number] = endpoint


def _number(connection: Connection, table: Table, **values: str | int) -> int:
    query = select(table.c.id).where(*(table.c[name] == value for name, value in values.items()))
    if (found := connection.execute(query).scalar()) is None:
        _insert_new(connection, table, values)
        found = connection.execute(query).scalar_one()
    return int(found)


def _insert_new(connection: Connection, table: Table, values: Values) -> None:
    """Insert, unless another archive has done so at this moment."""
    connection.execute(insert_into(connection, table).values(**values).on_conflict_do_nothing())
