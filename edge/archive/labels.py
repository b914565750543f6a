"""What people say of inspected parts. A label is never changed: a newer one takes its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from edge.archive.audit import Change, add_entry
from edge.archive.errors import ArchiveError
from edge.archive.query import Label
from edge.archive.rows import EPOCH, clean, microseconds
from edge.archive.search import find_one, is_key
from edge.archive.tables import defect_kind, label

MAX_TEXT = 500
WITHDRAWN: Literal["withdrawn"] = "withdrawn"


@dataclass(frozen=True)
class Given:
    """One label of a part: what, by whom, when, and a remark; `kind` only of a defect.

    `withdrawn` in the history takes back the same person's label before it.
    """

    label: Label | Literal["withdrawn"]
    who: str
    kind: str | None = None
    remark: str = ""
    at: datetime | None = None
    id: int | None = None  # of its row


def add_label(connection: Connection, key: str, given: Given, origin: str) -> None:
    """Label an inspection. Raises ArchiveError for an unknown inspection or kind."""
    found = find_one(connection, key)
    if not given.who.strip():
        raise ArchiveError("a label needs a name: say who gives it with --who")
    if max(len(given.who), len(given.remark)) > MAX_TEXT:
        raise ArchiveError(f"a name or a remark has at most {MAX_TEXT} characters: shorten it")
    if given.label == WITHDRAWN:
        raise ArchiveError("a label is taken back with withdraw_label()")
    if (given.label == "defect") != (given.kind is not None):
        raise ArchiveError("a defect has a kind, other labels have none: write defect:scratch")
    if given.kind is not None and given.kind not in kinds(connection):
        known = ", ".join(kinds(connection)) or "none yet"
        raise ArchiveError(
            f"'{given.kind}' is not a kind of defect ({known}): add it with "
            f"'draem archive kinds --add {given.kind}'"
        )
    connection.execute(update(label).where(is_key(label, key)).values(newest=0))
    _add_row(connection, key, given, newest=1)
    before, now = shown(found.label, found.kind), shown(given.label, given.kind)
    change = Change(given.who, origin, "label", key, before, now, given.remark)
    add_entry(connection, change)


def withdraw_label(connection: Connection, key: str, who: str, origin: str) -> None:
    """Take back the last label that `who` gave an inspection; the one before it counts again.

    Raises ArchiveError where there is none.
    """
    found = find_one(connection, key)
    counting = standing(history(connection, key))
    own = [given for given in counting if given.who == who]
    if not own:
        raise ArchiveError(f"{who} has given {key} no label: there is nothing to take back")
    counting.remove(own[-1])
    _add_row(connection, key, Given(WITHDRAWN, who), newest=0)
    connection.execute(update(label).where(is_key(label, key)).values(newest=0))
    if counting:
        connection.execute(update(label).where(label.c.id == counting[-1].id).values(newest=1))
    now = shown(counting[-1].label, counting[-1].kind) if counting else ""
    before = shown(found.label, found.kind)
    add_entry(connection, Change(who, origin, "label", key, before, now, "withdrawn"))


def _add_row(connection: Connection, key: str, given: Given, newest: int) -> None:
    number, seq = (int(part) for part in key.split("-"))
    values = {"stream": number, "seq": seq, "label": given.label, "kind": given.kind}
    values |= {"who": clean(given.who), "remark": clean(given.remark), "newest": newest}
    connection.execute(insert(label).values(values | {"at": microseconds(datetime.now(UTC))}))


def standing(given: Sequence[Given]) -> list[Given]:
    """The labels of a history that were not withdrawn, oldest first: the last of them counts."""
    left: list[Given] = []
    for one in given:
        if one.label != WITHDRAWN:
            left.append(one)
        elif own := [earlier for earlier in left if earlier.who == one.who]:
            left.remove(own[-1])
    return left


def history(connection: Connection, key: str) -> Sequence[Given]:
    """All labels of an inspection, oldest first."""
    rows = connection.execute(select(label).where(is_key(label, key)).order_by(label.c.id))
    return [given_of(row) for row in rows]


def given_of(row: Row[*tuple[Any, ...]]) -> Given:
    """A row of `label`."""
    at = EPOCH + timedelta(microseconds=row.at)
    return Given(row.label, row.who, row.kind, row.remark, at, row.id)


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


def shown(label_name: str | None, kind: str | None) -> str:
    """A label as one word: defect:scratch."""
    return f"{label_name}:{kind}" if kind else label_name or ""
