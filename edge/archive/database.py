"""The archive's database: opened, brought to the newest schema, its errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Table, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from edge.archive.errors import ArchiveDataError, ArchiveError
from edge.archive.tables import about

MIGRATIONS = Path(__file__).parent / "migrations"
BACKENDS = ("sqlite", "postgresql")
BUSY_MS = 10_000
WRITING = {"writing": True}
TIMEOUTS = {  # a host that vanishes is noticed
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c lock_timeout=20000",
}


def open_database(address: str, *, create: bool = False) -> Engine:
    """The database at a path (SQLite) or an SQLAlchemy URL; `create` makes or migrates its tables.

    Raises ArchiveError for an address that cannot be used and for another schema.
    """
    url = database_url(address)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.is_file():
            raise ArchiveError(
                f"there is no archive at {path}: start 'draem archive run', or name it with "
                "--database (--archive-database outside of 'draem archive')"
            )
    arguments = TIMEOUTS if url.get_backend_name() == "postgresql" else {}
    engine = create_engine(url, pool_pre_ping=True, connect_args=arguments)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with database_errors(url), engine.connect() as connection:
            _bring_up_to_date(connection, url, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def database_url(address: str) -> URL:
    """An SQLAlchemy URL; a path is an SQLite file. Raises ArchiveError."""
    try:
        address.encode()  # SQLite opens no file whose name is not UTF-8
        url = make_url(address) if "://" in address else URL.create("sqlite", database=address)
        url.get_dialect()
        if url.get_backend_name() not in BACKENDS:
            raise NoSuchModuleError(url.drivername)
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise ArgumentError("an archive is a file")
    except (ArgumentError, ValueError, NoSuchModuleError, ModuleNotFoundError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        fix = "pip install '.[postgresql]'" if missing else "write a path, or postgresql+psycopg://"
        raise ArchiveError(f"the database's address cannot be used: {fix}") from error
    return url


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Raise what the database raises as ArchiveError; the password is not shown."""
    shown = url.render_as_string(hide_password=True)
    try:
        yield
    except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
        raise ArchiveDataError(f"the archive {shown} does not take a value ({error})") from error
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", error)).strip().splitlines()
        raise ArchiveError(
            f"the archive {shown} cannot be used ({why[0] if why else error}): check that the "
            "database runs, its disk has space and its address is right"
        ) from error


def _set_up_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # BEGIN is ours, see below
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # stations delete what the archive has acknowledged
        f"busy_timeout = {BUSY_MS}",
        "foreign_keys = ON",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock when it begins: it could not when it has read."""
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def insert_into(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert that can say what is done where a row is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def archive_id(engine: Engine) -> str:
    """Which archive this is; given at the first call. Raises ArchiveError."""
    with writing(engine) as connection:
        found = connection.execute(select(about.c.archive_id)).scalar()
        if found is None:
            found = uuid4().hex
            connection.execute(about.insert().values(archive_id=found))
    return str(found)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes. Raises ArchiveError, and then nothing was written."""
    with (
        database_errors(engine.url),
        engine.connect().execution_options(**WRITING) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine, *, of_one_moment: bool = False) -> Iterator[Connection]:
    """One connection that reads; its answers may be held to one moment. Raises ArchiveError."""
    options = {"isolation_level": "REPEATABLE READ"} if of_one_moment else {}
    if engine.dialect.name == "sqlite":
        options = {}  # a transaction of SQLite is of one moment always
    with (
        database_errors(engine.url),
        engine.connect().execution_options(**options) as connection,
    ):
        yield connection


def _bring_up_to_date(connection: Connection, url: URL, create: bool) -> None:
    """Migrate, or raise ArchiveError where the schema is not this program's."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    found, newest = (
        MigrationContext.configure(connection).get_current_revision(),
        scripts.get_current_head(),
    )
    connection.rollback()
    if found == newest:
        return
    shown = url.render_as_string(hide_password=True)
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise ArchiveError(f"the archive {shown} was made by a newer draem: update this one")
    if not create:
        raise ArchiveError(
            f"the archive {shown} has an older schema: start 'draem archive run' once, which "
            "migrates it"
        )
    config.attributes["connection"] = connection.execution_options(**WRITING)
    try:
        command.upgrade(config, "head")
        connection.commit()
    except CommandError as error:
        raise ArchiveError(f"the archive {shown} cannot be migrated ({error})") from error
