"""One transaction of the archive: events become rows, each once, and heads move over them.

An event at or before a stream's head was written before and is left out, unless the log was
restored from a copy and uses its numbers again: then a new epoch of the stream begins.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, select, update

from edge.archive.audit import add_entry
from edge.archive.database import insert_into
from edge.archive.names import Names
from edge.archive.restored_log import TABLES, is_archived
from edge.archive.rows import (
    Row,
    clean,
    digest_of,
    event_row,
    inspection_row,
    microseconds,
    region_rows,
    score_tally_key,
    tally_key,
)
from edge.archive.station_changes import StationChanges, reported
from edge.archive.tables import (
    PictureState,
    gap,
    inspection,
    refused,
    region,
    score_tally,
    stream,
    tally,
)
from edge.events.event import AnyHeader, Event, Fault, Inspection, Status

LONGEST_HEADER = 20_000


@dataclass(frozen=True)
class Received:
    """An event, and the address of the station that it came from."""

    endpoint: str
    event: Event


class Batch:
    """One transaction."""

    def __init__(self, connection: Connection, names: Names, ok_one_in: int) -> None:
        self._connection, self._names, self._ok_one_in = connection, names, ok_one_in
        self._rows: dict[Table, list[Row]] = {}
        self._streams: dict[str, int] = {}
        self._seen: set[tuple[str, int, str]] = set()
        self._heads: dict[int, int] = {}
        self._counts: Counter[tuple[int, ...]] = Counter()
        self._passed_over: Counter[tuple[int, ...]] = Counter()
        self._scores: Counter[tuple[int, ...]] = Counter()
        self._changes = StationChanges(connection)

    def write(self, batch: Sequence[Received], masks: dict[int, bytes]) -> None:
        new = [(r, number) for r in batch if (number := self._new(r)) is not None]
        seen = self._known_parts([r.event for r, _ in new])
        for received, number in new:
            self._add(received.event, number, masks[id(received.event)], seen)
        for table, rows in self._rows.items():
            self._connection.execute(table.insert(), rows)
        self._write_tallies()
        self._write_changes()  # last: the lock of the audit trail is held until the end
        self._move_heads()

    def refuse(self, received: Received, reason: str) -> None:
        """Store the header as text; the head moves over the event."""
        header = received.event.header
        number = self._new(received)
        if number is None:
            return
        values = {"stream": number, "seq": header.seq, "reason": clean(reason)}
        values |= {"archived": microseconds(datetime.now(UTC))}
        values |= {"header": header.model_dump_json()[:LONGEST_HEADER].replace("\0", "")}
        self._connection.execute(refused.insert().values(values))
        for gap_row in self._rows.get(gap, []):
            self._connection.execute(gap.insert().values(gap_row))
        if isinstance(header, Status):
            self._changes.found += reported(header)
        self._write_changes()
        self._move_heads()

    def _move_heads(self) -> None:
        for number, head in self._heads.items():
            self._connection.execute(update(stream).where(stream.c.id == number).values(head=head))

    def _new(self, received: Received) -> int | None:
        """The row of an event's stream; None for an event that is already written."""
        header = received.event.header
        if header.stream_id not in self._streams:
            station = str(clean(header.station))
            found, head = self._names.stream(self._connection, header.stream_id, station)
            self._streams[header.stream_id], self._heads[found] = found, head
        number = self._streams[header.stream_id]
        head = self._heads[number]
        if header.seq <= head:
            if self._is_written(received.event):
                return None
            number = self._names.new_epoch(self._connection, header)
            self._streams[header.stream_id] = number
        elif header.seq > head + 1:
            self._note_gap(number, head + 1, header)
        self._seen.add((header.stream_id, header.seq, header.published_at))
        self._heads[number] = header.seq
        self._names.endpoint(self._connection, number, received.endpoint)
        return number

    def _is_written(self, event: Event) -> bool:
        """Whether this event, not another with its number, is in the database or this batch."""
        header = event.header
        seen = (header.stream_id, header.seq, header.published_at) in self._seen
        return seen or is_archived(self._connection, event)

    def _note_gap(self, number: int, first: int, header: AnyHeader) -> None:
        row = {"stream": number, "first": first, "last": header.seq - 1}
        row["at"] = microseconds(datetime.now(UTC))
        self._rows.setdefault(gap, []).append(row)

    def _known_parts(self, events: Sequence[Event]) -> set[str]:
        """Which of the part ids were inspected before."""
        parts = {
            clean(e.header.part_id)
            for e in events
            if isinstance(e.header, Inspection) and e.header.part_id
        }
        if not parts:
            return set()
        query = select(inspection.c.part_id).where(inspection.c.part_id.in_(parts)).distinct()
        return set(self._connection.execute(query).scalars())

    def _add(self, event: Event, number: int, mask: bytes, seen: set[str]) -> None:
        header = event.header
        row = event_row(header, number)
        if isinstance(header, Fault):
            row |= {"code": header.code.number, "message": str(clean(header.message))}
        else:
            product, version = self._names.version(
                self._connection, str(clean(header.product)), str(clean(header.version))
            )
            row |= {"product": product, "version": version}
        if isinstance(header, Inspection):
            row |= inspection_row(header, digest_of(mask), self._picture(header))
            if header.regions:
                self._rows.setdefault(region, []).extend(region_rows(header, row))
            self._count(row, row["part_id"] in seen)
            seen |= {row["part_id"]} if header.part_id else set()
        elif isinstance(header, Status):
            row["state"] = header.state
            self._changes.add(header, number)
        self._rows.setdefault(TABLES[header.kind], []).append(row)

    def _picture(self, header: Inspection) -> PictureState:
        """Whether the frame is to be asked for. Older stations do not say if there is one."""
        every = self._ok_one_in
        sampled = every > 0 and header.inspection_id % every == 0
        exists = header.frame_id > 0 if header.picture is None else header.picture
        wanted = exists and (header.verdict != "OK" or sampled)
        return PictureState.AWAITED if wanted else PictureState.NONE

    def _count(self, row: Row, again: bool) -> None:
        key = tally_key(row, again)
        self._counts[key] += 1
        self._passed_over[key] += row["passed_over"]
        if (scored := score_tally_key(row)) is not None:
            self._scores[scored] += 1

    def _write_changes(self) -> None:
        for change in self._changes.found:
            add_entry(self._connection, change)

    def _write_tallies(self) -> None:
        over = self._passed_over
        self._add_to(
            tally, {k: {"count": n, "passed_over": over[k]} for k, n in self._counts.items()}
        )
        self._add_to(score_tally, {k: {"count": n} for k, n in self._scores.items()})

    def _add_to(self, table: Table, counted: dict[tuple[int, ...], dict[str, int]]) -> None:
        if not counted:
            return
        insert = insert_into(self._connection, table)
        key = [column.name for column in table.primary_key]
        # In one order, so that two archives do not wait for each other.
        values = [dict(zip(key, k, strict=True)) | counted[k] for k in sorted(counted)]
        sums = {
            name: table.c[name] + insert.excluded[name] for name in values[0] if name not in key
        }
        self._connection.execute(
            insert.on_conflict_do_update(index_elements=key, set_=sums), values
        )
