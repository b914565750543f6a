"""Labels keep their history, and the audit trail shows whatever was done to it."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, delete, select, text, update

from edge.archive import audit, labels
from edge.archive.database import reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.search import find_one
from edge.archive.tables import audit as entries
from edge.archive.tables import audit_head
from edge.archive.writer import Writer
from tests.support.archived import inspected, write


@pytest.fixture
def connection_to(engine: Engine, writer: Writer) -> Engine:
    """An archive with two parts and the kind scratch."""
    write(writer, [inspected(1, verdict="NG"), inspected(2)])
    with writing(engine) as connection:
        labels.add_kind(connection, "scratch", "eva", "here")
    return engine


def test_the_newest_label_counts_and_the_others_are_its_history(connection_to: Engine) -> None:
    with writing(connection_to) as connection:
        labels.add_label(connection, "1-1", Given("unsure", "eva"), "here")
        labels.add_label(connection, "1-1", Given("defect", "max", "scratch", "deep"), "here")
    with reading(connection_to) as connection:
        found = find_one(connection, "1-1")
        history = labels.history(connection, "1-1")
        assert audit.faults_of(connection) == []
        trail = audit.entries(connection)
    assert (found.label, found.kind) == ("defect", "scratch")
    assert [(g.label, g.who, g.remark) for g in history] == [
        ("unsure", "eva", ""),
        ("defect", "max", "deep"),
    ]
    assert [(e.action, e.old, e.new) for e in trail[1:]] == [
        ("label", "", "unsure"),
        ("label", "unsure", "defect:scratch"),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Given("defect", "eva"), "a defect has a kind"),
        (Given("missed", "eva", "scratch"), "a defect has a kind"),
        (Given("defect", "eva", "dent"), "'dent' is not a kind of defect"),
        (Given("missed", " "), "a label needs a name"),
        (Given("missed", "eva", remark="x" * 2000), "at most 500 characters"),
    ],
)
def test_a_label_that_has_no_sense_is_refused(
    connection_to: Engine, given: Given, says: str
) -> None:
    with pytest.raises(ArchiveError, match=says), writing(connection_to) as connection:
        labels.add_label(connection, "1-1", given, "here")
    with reading(connection_to) as connection:
        assert labels.history(connection, "1-1") == []


Tampering = Callable[[Connection], object]
TAMPERED: dict[str, Tampering] = {
    "changed": lambda c: c.execute(
        update(entries).where(entries.c.number == 2).values(new="false-reject")
    ),
    "changed reason": lambda c: c.execute(
        update(entries).where(entries.c.number == 3).values(reason="")
    ),
    "removed": lambda c: c.execute(delete(entries).where(entries.c.number == 2)),
    "removed first": lambda c: c.execute(delete(entries).where(entries.c.number == 1)),
    "removed last": lambda c: c.execute(delete(entries).where(entries.c.number == 3)),
    "reordered": lambda c: [
        c.execute(text(f"UPDATE audit SET number = {new} WHERE number = {old}"))
        for old, new in ((2, 9), (3, 2), (9, 3))
    ],
    "all removed": lambda c: c.execute(delete(entries)),
    "head removed": lambda c: c.execute(delete(audit_head)),
    "renumbered": lambda c: [
        c.execute(text("DELETE FROM audit WHERE number = 2")),
        c.execute(text("UPDATE audit SET number = 2 WHERE number = 3")),
        c.execute(text("UPDATE audit_head SET number = 2")),
    ],
}


@pytest.mark.parametrize("how", TAMPERED)
def test_whatever_is_done_to_the_audit_trail_is_found(connection_to: Engine, how: str) -> None:
    with writing(connection_to) as connection:
        labels.add_label(connection, "1-1", Given("unsure", "eva"), "here")
        labels.add_label(connection, "1-2", Given("missed", "eva", remark="why"), "here")
    with writing(connection_to) as connection:
        assert audit.faults_of(connection) == []
        TAMPERED[how](connection)
    with reading(connection_to) as connection:
        assert audit.faults_of(connection) != []


def test_a_change_that_fails_leaves_no_entry(connection_to: Engine) -> None:
    change = audit.Change("eva", "here", "label", "1-1")
    with suppress(ArchiveError), writing(connection_to) as connection:
        labels.add_label(connection, "1-1", Given("unsure", "eva"), "here")
        audit.add_entry(connection, change)
        find_one(connection, "9-9")
    with reading(connection_to) as connection:
        assert len(list(connection.execute(select(entries)))) == 1
        assert labels.history(connection, "1-1") == []
