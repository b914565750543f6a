"""The SQLite file of accounts, readable by its owner alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from edge.base.errors import DraemError
from edge.web.accounts.tables import metadata

BUSY_MS = 5_000


class AccountsError(DraemError):
    """Accounts cannot be read or changed as asked."""


def open_accounts(path: Path) -> Engine:
    """The accounts of a file, which is made if it is missing. Raises AccountsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)
    elif path.stat().st_mode & 0o077:
        raise AccountsError(f"{path} can be read by others: run 'chmod 600 {path}'")
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


def _set_up(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # BEGIN is ours
    for pragma in ("journal_mode = WAL", f"busy_timeout = {BUSY_MS}", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


def _begin(connection: Connection) -> None:
    """A writer takes the lock when it begins: it could not when it has read."""
    is_writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


@contextmanager
def reading(engine: Engine, *, is_writing: bool = False) -> Iterator[Connection]:
    """One transaction. Raises AccountsError."""
    try:
        with (
            engine.connect().execution_options(writing=is_writing) as connection,
            connection.begin(),
        ):
            yield connection
    except SQLAlchemyError as error:
        path = engine.url.database
        raise AccountsError(
            f"the accounts in {path} cannot be used ({getattr(error, 'orig', error)}): check that "
            "its disk has space and that this user may write it"
        ) from error


def writing(engine: Engine) -> AbstractContextManager[Connection]:
    """One transaction that may write. Raises AccountsError, and then nothing was written."""
    return reading(engine, is_writing=True)
