"""The audit trail: who changed what, when, from where and why; entries are only ever added.

Each entry's digest covers the entry and the digest before it, and a head has the last of them: an
entry that is changed, removed or moved no longer fits. Anyone who can write the database can also
compute a whole new chain; note the head elsewhere (`draem archive verify` prints it) to find that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, Row, func, insert, select, text, update

from edge.archive.errors import ArchiveError
from edge.archive.rows import EPOCH, LONGEST, clean, microseconds
from edge.archive.tables import audit, audit_head

FIRST = b"\0" * 32
HEAD_ID = 1
TEXTS = ("who", "origin", "action", "target", "old", "new", "reason")


@dataclass(frozen=True)
class Change:
    """What somebody did: the action, what it was done to, the value before and after.

    `happened` is when, if that was not now. Of changes with one `change_id` the first is an entry.
    """

    who: str
    origin: str  # a host, an address, a program
    action: str
    target: str
    old: str = ""
    new: str = ""
    reason: str = ""
    happened: datetime | None = None
    change_id: str | None = None


@dataclass(frozen=True)
class Entry:
    """A change in the trail: its number, when it was made (`at`) and when it was recorded."""

    number: int
    at: datetime
    recorded: datetime
    who: str
    origin: str
    action: str
    target: str
    old: str
    new: str
    reason: str
    digest: str


def check(change: Change) -> None:
    """Raise ArchiveError for a change without an author or an action, or with a text too long."""
    if not (change.who.strip() and change.action.strip()):
        raise ArchiveError("an entry of the audit trail says who did what: give both")
    if max(len(getattr(change, name)) for name in TEXTS) > LONGEST:
        raise ArchiveError(f"a text of the audit trail has more than {LONGEST} characters: cut it")
    if change.happened is not None and change.happened.tzinfo is None:
        raise ArchiveError("the time of a change has no time zone: give one")


def add_entry(connection: Connection, change: Change) -> int:
    """Add an entry in the transaction of the change itself; its number."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    if (known := _number_of(connection, change.change_id)) is not None:
        return known
    head = connection.execute(select(audit_head.c.number, audit_head.c.digest)).first()
    number, before = (head.number + 1, head.digest) if head else (1, FIRST)
    values: dict[str, object] = {name: clean(getattr(change, name)) for name in TEXTS}
    values |= {"number": number, "at": microseconds(datetime.now(UTC))}
    if change.happened is not None:
        values["happened"] = microseconds(change.happened)
    if change.change_id is not None:
        values["change_id"] = clean(change.change_id)
    digest = _digest(values, before)
    connection.execute(insert(audit).values(**values, digest=digest))
    moved = {"number": number, "digest": digest}
    if head:
        connection.execute(update(audit_head).values(moved))
    else:
        connection.execute(insert(audit_head).values(id=HEAD_ID, **moved))
    return number


def _number_of(connection: Connection, change_id: str | None) -> int | None:
    if change_id is None:
        return None
    query = select(audit.c.number).where(audit.c.change_id == clean(change_id))
    return connection.execute(query).scalar()


def faults_of(connection: Connection) -> list[str]:
    """What is wrong with the trail, one line each; nothing if it is as it was written."""
    faults: list[str] = []
    before, number = FIRST, 0
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        # Columns that are newer than an entry are NULL there, and not in its digest.
        values = {k: v for k, v in row._mapping.items() if k != "digest" and v is not None}
        if row.number != number + 1:
            faults.append(f"entries {number + 1} to {row.number - 1} are missing")
        elif row.digest != _digest(values, before):
            faults.append(f"entry {row.number} was changed, or one before it replaced")
        before, number = row.digest, row.number
    head = connection.execute(select(audit_head.c.number, audit_head.c.digest)).first()
    if (head.number, head.digest) != (number, before) if head else number > 0:
        faults.append(f"the last entry is {number}, the head names {head.number if head else 0}")
    return faults


def head_of(connection: Connection) -> str:
    """Number and digest of the last entry, to be noted elsewhere."""
    head = connection.execute(select(audit_head.c.number, audit_head.c.digest)).first()
    return f"{head.number} {head.digest.hex()}" if head else "0"


def entries(connection: Connection) -> list[Entry]:
    """All entries, oldest first."""
    return [_entry(row) for row in connection.execute(select(audit).order_by(audit.c.number))]


def entries_after(connection: Connection, number: int, limit: int) -> list[Entry]:
    """At most `limit` entries after a number, oldest first."""
    query = select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def newest_entries(connection: Connection, limit: int, before: int | None) -> Sequence[Entry]:
    """At most `limit` entries, newest first, of those before the number `before`."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.number < before)
    return [_entry(row) for row in connection.execute(query)]


def entries_between(
    connection: Connection, since: datetime, until: datetime, limit: int
) -> list[Entry]:
    """The first changes that were made in a period, in the order of their entries."""
    made = func.coalesce(audit.c.happened, audit.c.at)
    within = made >= microseconds(since), made < microseconds(until)
    query = select(audit).where(*within).order_by(audit.c.number).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def _entry(row: "Row[*tuple[object, ...]]") -> Entry:
    recorded = EPOCH + timedelta(microseconds=row.at)
    happened = None if row.happened is None else EPOCH + timedelta(microseconds=row.happened)
    texts = {name: getattr(row, name) for name in TEXTS}
    return Entry(row.number, happened or recorded, recorded, **texts, digest=row.digest.hex())


def _digest(values: dict[str, object], before: bytes) -> bytes:
    written = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return sha256(before + written.encode()).digest()
