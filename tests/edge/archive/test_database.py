"""Databases that are old, new, foreign, missing or not there."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from edge.archive.database import database_url, open_database, writing
from edge.archive.errors import ArchiveError
from edge.archive.tables import metadata


def test_the_migrations_make_exactly_the_tables_of_this_program(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_an_archive_of_a_newer_program_is_refused_and_left_alone(database: str) -> None:
    engine = open_database(database, create=True)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ArchiveError, match="made by a newer draem"):
        open_database(database, create=True)


def test_reading_does_not_make_or_migrate_an_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="there is no archive at"):
        open_database(str(tmp_path / "none.db"))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(ArchiveError, match="file is not a database"):
        open_database(str(tmp_path / "a.db"), create=True)


def test_passwords_are_not_shown() -> None:
    address = "postgresql+psycopg://draem:se/cret@127.0.0.1:1/x"
    with pytest.raises(ArchiveError) as caught:
        open_database(address.replace("se/cret", "secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "nosuch://x",
        "://",
        "mysql://a/b",
        "",
        ":memory:",
        "sqlite://",
        "postgresql://[::1",
        "x://h:n",
        "\udcff.sqlite",
    ],
)
def test_an_address_that_cannot_be_used_says_what_to_write(address: str) -> None:
    with pytest.raises(ArchiveError, match="the database's address cannot be used"):
        database_url(address)
