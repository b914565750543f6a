"""Finds in the archive what webhooks are for: NG series, drift, faults, product changes.

The position in each station's log moves in the transaction that queues the messages, so none is
lost and none is queued twice, however this program ends.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from edge.archive.archive import Archive
from edge.archive.follow import Arrived, Log
from edge.events.codes import Code
from edge.web.accounts.database import reading, writing
from edge.web.webhooks.hooks import Hook, Hooks
from edge.web.webhooks.queue import Message, add_messages
from edge.web.webhooks.tables import position, series

BATCH = 1000
BEGUN = ""  # has a position too: that of no log, which says that following has begun
DRIFT = tuple(
    code.name.lower()
    for code in (Code.CAMERA_MOVED, Code.LIGHT_CHANGED, Code.LENS_DIRTY, Code.SCORES_SHIFTED)
)


class Watcher:
    """Reads the archive's news; for one thread. Raises ArchiveError, AccountsError."""

    def __init__(self, archive: Archive, hooks: Hooks) -> None:
        self._archive, self._hooks = archive, hooks

    def look(self) -> None:
        """Queue all that has happened since the last time.

        Without hooks nothing is followed. With the first hook all logs are followed from their
        ends; a log that is new later is read from its first event.
        """
        hooks = self._hooks.all()
        with reading(self._hooks.engine) as connection:
            known = {row.stream: row.seq for row in connection.execute(select(position))}
        if not hooks:
            if known:
                with writing(self._hooks.engine) as connection:
                    connection.execute(delete(position))
            return
        logs = self._archive.logs()
        if not known:
            with writing(self._hooks.engine) as connection:
                _move(connection, BEGUN, 0)
                for log in logs:
                    _move(connection, log.stream_id, log.head)
            return
        for log in logs:
            begin = known.get(log.stream_id, 0)
            while begin < log.head:
                last = min(begin + BATCH, log.head)
                self._take(log, self._archive.arrived(log, begin, last), last, hooks)
                begin = last

    def _take(self, log: Log, arrived: Sequence[Arrived], last: int, hooks: Sequence[Hook]) -> None:
        messages = list(self._messages(log, arrived))
        parts = [a for a in arrived if a.kind == "inspection" and a.verdict in ("OK", "NG")]
        now = self._hooks.clock()
        with writing(self._hooks.engine) as connection:
            for one in hooks:
                found = [m for m in messages if m.event in one.events]
                if "station.ng_series" in one.events:
                    found += _ng_series(connection, one, log, parts)
                add_messages(connection, one, found, now)
            _move(connection, log.stream_id, last)

    def _messages(self, log: Log, arrived: Sequence[Arrived]) -> Iterator[Message]:
        before: tuple[str, str] | None = None
        for one in arrived:
            if one.kind == "fault":
                event = "station.drift" if one.code in DRIFT else "station.fault"
                yield _message(event, one, code=one.code, message=one.message)
            elif one.kind == "status":
                before = before or self._archive.product_before(log, one.seq)
                product = one.product, one.version
                if before is not None and before != product:
                    old = {"product": before[0], "version": before[1]}
                    new = {"product": one.product, "version": one.version}
                    yield _message("station.product_changed", one, old=old, new=new)
                before = product


def _ng_series(
    connection: Connection, of: Hook, log: Log, parts: Sequence[Arrived]
) -> list[Message]:
    """A message whenever N of the last M parts are NG; then counting begins anew."""
    this = series.c.hook == of.id, series.c.stream == log.stream_id
    verdicts = connection.execute(select(series.c.verdicts).where(*this)).scalar() or ""
    found = []
    for part in parts:
        verdicts = (verdicts + ("1" if part.verdict == "NG" else "0"))[-of.of :]
        if verdicts.count("1") >= of.ng:
            count = {"ng": verdicts.count("1"), "parts": len(verdicts)}
            found.append(
                _message("station.ng_series", part, **count, product=part.product,
                         version=part.version, part_id=part.part_id)
            )  # fmt: skip
            verdicts = ""
    values = {"hook": of.id, "stream": log.stream_id, "verdicts": verdicts}
    changed = insert(series).values(values)
    key = ["hook", "stream"]
    connection.execute(changed.on_conflict_do_update(key, set_={"verdicts": verdicts}))
    return found


def _message(event: str, of: Arrived, **data: Any) -> Message:
    """Its id is made of the event's place in the log."""
    name = f"{event} {of.stream.stream_id} {of.seq}"
    about = {"station": of.stream.station, "event": of.seq, **data}
    return Message(f"msg_{sha256(name.encode()).hexdigest()[:32]}", event, of.at, about)


def _move(connection: Connection, stream: str, seq: int) -> None:
    values = {"stream": stream, "seq": seq}
    moved = insert(position).values(values)
    connection.execute(moved.on_conflict_do_update(["stream"], set_={"seq": seq}))
