"""An archive of any earlier schema is migrated with all that is in it."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine

from edge.archive import audit, labels
from edge.archive.archive import Archive
from edge.archive.database import MIGRATIONS, database_url, open_database, reading, writing
from edge.archive.errors import ArchiveError
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.tables import metadata
from edge.archive.tables import status as statuses
from edge.archive.writer import Writer
from tests.support.archived import inspected, rows, running, write

RELEASED = {
    "0001_the_first_tables.py": "55d0fb3df8f39b08bfaf5e9adb987421793daa6157cc83b5243151b36985052e",
}
STREAM = "0123456789abcdef"
AT = 1_793_000_000_000_000
EVENT = {"stream": 1, "seq": 2, "at": AT, "product": 1, "version": 1}
FIRST: dict[str, list[dict[str, Any]]] = {
    "about": [{"archive_id": "an archive"}],
    "stream": [
        {"stream_id": STREAM, "epoch": 0, "station": "line-1", "endpoint": "tcp://a:1",
         "head": 2}
    ],
    "product": [{"name": "lid"}],
    "version": [{"product": 1, "name": "1"}],
    "status": [{**EVENT, "seq": 1, "state": "running"}],
    "inspection": [
        {**EVENT, "archived": AT, "inspection_id": 2, "frame_id": 2, "part_id": "A-1",
         "verdict": 1, "code": 0, "score": 0.9, "threshold": 0.5, "passed_over": 0, "regions": 1,
         "details": "{}", "picture_state": 0}
    ],
    "region": [
        {"stream": 1, "seq": 2, "number": 0, "at": AT, "product": 1, "x": 1, "y": 2, "width": 3,
         "height": 4, "area": 5, "score": 0.9}
    ],
    "defect_kind": [{"name": "scratch"}],
    "label": [
        {"stream": 1, "seq": 2, "label": "defect", "kind": "scratch", "who": "eva",
         "at": AT, "remark": "left", "newest": 1}
    ],
}  # fmt: skip


def first_trail() -> tuple[list[dict[str, Any]], bytes]:
    """Two entries as the first schema's program wrote them, and the last digest."""
    entries, digest = [], b"\0" * 32
    for number, action in enumerate(("defect kind", "label"), 1):
        entry = {
            "action": action, "at": AT + number, "new": "scratch", "number": number, "old": "",
            "origin": "eva@panel", "reason": "ü", "target": "1-2", "who": "eva",
        }  # fmt: skip
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        digest = sha256(digest + text.encode()).digest()
        entries.append({**entry, "digest": digest})
    return entries, digest


@pytest.fixture
def first(database: str) -> str:
    """The address of an archive of the first schema with something in every kind of table."""
    engine = create_engine(database_url(database))
    upgrade(engine, "0001")
    found = MetaData()
    found.reflect(engine)
    entries, digest = first_trail()
    head = {"id": 1, "number": 2, "digest": digest}
    with engine.begin() as connection:
        for name, values in {**FIRST, "audit": entries, "audit_head": [head]}.items():
            connection.execute(found.tables[name].insert(), values)
    engine.dispose()
    return database


def upgrade(engine: Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        connection.commit()


def test_archive_of_the_first_schema_is_migrated_with_its_data(first: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="has an older schema: start 'draem archive run' once"):
        Archive(first)
    engine = open_database(first, create=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    with Archive(first) as archive:
        (part,) = archive.find(Query(product="lid", label="defect")).parts
        assert (part.key, part.part_id, part.verdict, part.kind) == ("1-2", "A-1", "NG", "scratch")
        assert [region["area"] for region in archive.regions("1-2")] == [5]
        trail, faults, _ = archive.audit.verified()
    assert faults == []
    assert [(entry.action, entry.reason) for entry in trail] == [
        ("defect kind", "ü"),
        ("label", "ü"),
    ]
    assert all(entry.at == entry.recorded for entry in trail)


def test_archive_goes_on_after_a_migration(first: str, tmp_path: Path) -> None:
    engine = open_database(first, create=True)
    writer = Writer(engine, PictureStore(str(tmp_path / "pictures")))
    assert writer.cursor("tcp://a:1").seq == 2
    write(writer, [running(3, "cup"), inspected(4)])
    with writing(engine) as connection:
        labels.add_label(connection, "1-4", labels.Given("missed", "eva"), "here")
    with reading(engine) as connection:
        assert audit.faults_of(connection) == []
        actions = [entry.action for entry in audit.entries(connection)]
    assert actions == ["defect kind", "label", "product", "label"]
    assert [row["seq"] for row in rows(engine, statuses)] == [1, 3]
    engine.dispose()


def test_archive_finds_an_entry_of_the_first_schema_that_was_given_a_time(first: str) -> None:
    engine = open_database(first, create=True)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET happened = 1 WHERE number = 1")
        assert audit.faults_of(connection) == ["entry 1 was changed, or one before it replaced"]
    engine.dispose()


def test_archive_migrations_that_were_released_are_not_edited() -> None:
    """Archives exist that they have made: write another one."""
    for name, digest in RELEASED.items():
        assert sha256((MIGRATIONS / "versions" / name).read_bytes()).hexdigest() == digest
