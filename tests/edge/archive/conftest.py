"""Every test of the archive's database runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.writer import Writer
from tests.support import postgresql as pg


@pytest.fixture(scope="session")
def server() -> Iterator[pg.PostgreSql | None]:
    """PostgreSQL, once for all tests of this process; None where it is not installed."""
    if not pg.is_installed():
        yield None
        return
    with pg.postgresql() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "archive.db")
    started: pg.PostgreSql | None = request.getfixturevalue("server")
    if started is None:
        pytest.skip(pg.MISSING)
    return started.new_database()


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A new archive."""
    opened = open_database(database, create=True)
    yield opened
    opened.dispose()


@pytest.fixture
def store(tmp_path: Path) -> PictureStore:
    """A folder of pictures."""
    return PictureStore(str(tmp_path / "pictures"))


@pytest.fixture
def writer(engine: Engine, store: PictureStore) -> Writer:
    """What writes into the new archive."""
    return Writer(engine, store)
