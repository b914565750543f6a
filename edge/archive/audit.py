"""The audit trail: who changed what, when, from where and why; entries are only ever added.

Each entry's digest covers the entry and the digest before it, and a head has the last of them: an
entry that is changed, removed or moved no longer fits. Anyone who can write the database can also
compute a whole new chain; note the head elsewhere (`draem archive verify` prints it) to find that.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from edge.archive.rows import EPOCH, clean, microseconds
from edge.archive.tables import audit, audit_head

FIRST = b"\0" * 32
HEAD_ID = 1


@dataclass(frozen=True)
class Change:
    """What somebody did: the action, what it was done to, the value before and after."""

    who: str
    origin: str  # a host, an address, a program
    action: str
    target: str
    old: str = ""
    new: str = ""
    reason: str = ""


def add_entry(connection: Connection, change: Change) -> None:
    """Add an entry in the transaction of the change itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    head = connection.execute(select(audit_head.c.number, audit_head.c.digest)).first()
    number, before = (head.number + 1, head.digest) if head else (1, FIRST)
    values = {"number": number, "at": microseconds(datetime.now(UTC))}
    values |= {name: clean(text) for name, text in asdict(change).items()}
    digest = _digest(values, before)
    connection.execute(insert(audit).values(**values, digest=digest))
    moved = {"number": number, "digest": digest}
    if head:
        connection.execute(update(audit_head).values(moved))
    else:
        connection.execute(insert(audit_head).values(id=HEAD_ID, **moved))


def faults_of(connection: Connection) -> list[str]:
    """What is wrong with the trail, one line each; nothing if it is as it was written."""
    faults: list[str] = []
    before, number = FIRST, 0
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        values = {name: value for name, value in row._mapping.items() if name != "digest"}
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


def entries(connection: Connection) -> list[dict[str, Any]]:
    """All entries, oldest first; `at` is a time in UTC."""
    rows = connection.execute(select(audit).order_by(audit.c.number))
    return [
        dict(row._mapping)
        | {"at": EPOCH + timedelta(microseconds=row.at), "digest": row.digest.hex()}
        for row in rows
    ]


def _digest(values: dict[str, object], before: bytes) -> bytes:
    written = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return sha256(before + written.encode()).digest()
