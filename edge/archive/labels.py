"""What people say of inspected parts. A label is never changed: a newer one takes its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from edge.archive.audit import Change, add_entry
from edge.archive.errors import ArchiveError
from edge.archive.query import Label
from edge.archive.rows import EPOCH, clean, microseconds
from edge.archive.search import find_one, is_key
from edge.archive.tables import defect_kind, label

MAX_TEXT = 500


@dataclass(frozen=True)
class Given:
    """One label of a part: what, by whom, when, and a remark; `kind` only of a defect."""

    label: Label
    who: str
    kind: str | None = None
    remark: str = ""
    at: datetime | None = None


def add_label(connection: Connection, key: str, given: Given, origin: str) -> None:
    """Label an inspection. Raises ArchiveError for an unknown inspection or kind."""
    found = find_one(connection, key)
    if not given.who.strip():
        raise ArchiveError("a label needs a name: say who gives it with --who")
    if max(len(given.who), len(given.remark)) > MAX_TEXT:
        raise ArchiveError(f"a name or a remark has at most {MAX_TEXT} characters: shorten it")
    if (given.label == "defect") != (given.kind is not None):
        raise ArchiveError("a defect has a kind, other labels have none: write defect:scratch")
    if given.kind is not None and given.kind not in kinds(connection):
        known = ", ".join(kinds(connection)) or "none yet"
        raise ArchiveError(
            f"'{given.kind}' is not a kind of defect ({known}): add it with "
            f"'draem archive kinds --add {given.kind}'"
        )
    number, seq = (int(part) for part in key.split("-"))
    connection.execute(update(label).where(is_key(label, key)).values(newest=0))
    values = {"stream": number, "seq": seq, "label": given.label, "kind": given.kind}
    values |= {"who": clean(given.who), "remark": clean(given.remark), "newest": 1}
    connection.execute(insert(label).values(values | {"at": microseconds(datetime.now(UTC))}))
    before, now = _shown(found.label, found.kind), _shown(given.label, given.kind)
    change = Change(given.who, origin, "label", key, before, now, given.remark)
    add_entry(connection, change)


def history(connection: Connection, key: str) -> Sequence[Given]:
    """All labels of an inspection, oldest first."""
    rows = connection.execute(select(label).where(is_key(label, key)).order_by(label.c.id))
    return [
        Given(row.label, row.who, row.kind, row.remark, EPOCH + timedelta(microseconds=row.at))
        for row in rows
    ]


def kinds(connection: Connection) -> list[str]:
    """The plant's own kinds of defects."""
    query = select(defect_kind.c.name).order_by(defect_kind.c.name)
    return list(connection.execute(query).scalars())


def add_kind(connection: Connection, name: str, who: str, origin: str, reason: str = "") -> None:
    """A new kind of defect. Raises ArchiveError for a name that cannot be one."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ArchiveError("a kind of defect is a short printable name: choose another")
    if name not in kinds(connection):
        connection.execute(insert(defect_kind).values(name=name))
        add_entry(connection, Change(who, origin, "defect kind", name, new=name, reason=reason))


def _shown(label_name: str | None, kind: str | None) -> str:
    return f"{label_name}:{kind}" if kind else label_name or ""
