"""Accounts: made, changed and removed; log-in with lock-out after failures."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from edge.base.closeable import Closeable
from edge.web.accounts.database import AccountsError, open_accounts, reading, writing
from edge.web.accounts.roles import Role
from edge.web.accounts.tables import account, session
from edge.web.texts import mark

NAME = re.compile(r"[^\W_][\w.@ -]{0,63}")
TOKEN = "token "
LEAST_PASSWORD, MOST_PASSWORD = 10, 200
WRONG = mark("name or password is wrong")
FREE_FAILURES = 4
LOCK_S, LONGEST_LOCK_S = 30.0, 3600.0
HASHER = PasswordHasher()  # argon2id with the library's parameters
NOBODY = HASHER.hash("nobody's")  # so that an unknown name takes as long as a known one


class AccountLocked(AccountsError):
    """This failure has locked the account for some time."""


@dataclass(frozen=True)
class Account:
    """Somebody who may log in."""

    name: str
    role: Role
    language: str


class Accounts(Closeable):
    """The accounts of one file; usable from any thread. Raises AccountsError.

    The `clock` gives seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.engine, self.clock = open_accounts(path), clock

    def all(self) -> list[Account]:
        """All accounts by name."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(account).order_by(account.c.name)).all()
        return [Account(row.name, Role.of(row.role), row.language) for row in rows]

    def has_administrator(self) -> bool:
        """Whether anybody can manage accounts."""
        return any(one.role is Role.ADMINISTRATOR for one in self.all())

    def add(self, name: str, password: str, role: Role, language: str = "en") -> None:
        """A new account."""
        if not NAME.fullmatch(name):
            raise AccountsError(
                f"'{name}' cannot be an account's name: write at most 64 letters, digits, spaces, "
                "_ . @ and -, and begin with a letter or digit"
            )
        if name.lower().startswith(TOKEN):
            raise AccountsError(f"'{name}' is how tokens are named in records: choose another name")
        hashed = _hash(password, name)
        with writing(self.engine) as connection:
            if connection.execute(select(account.c.name).where(_is(name))).first():
                raise AccountsError(f"there is an account {name} already: choose another name")
            values = {"name": name, "role": role.word, "password": hashed, "language": language}
            connection.execute(insert(account).values(values))

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        password: str | None = None,
        language: str | None = None,
    ) -> None:
        """Change an account; its sessions end where the role or the password changes."""
        values: dict[str, object] = {"role": role.word} if role else {}
        values |= {"language": language} if language else {}
        if password is not None:
            values |= {"password": _hash(password, name), "failures": 0, "locked_until": 0}
        with writing(self.engine) as connection:
            if role is not None and role < Role.ADMINISTRATOR:
                self._keep_one_administrator(connection, name)
            found = connection.execute(update(account).where(_is(name)).values(values))
            if not found.rowcount:
                raise AccountsError(f"there is no account {name}")
            if role or password is not None:
                of = func.lower(session.c.account) == name.lower()
                connection.execute(delete(session).where(of))

    def remove(self, name: str) -> None:
        """Remove an account and end its sessions; the last administrator stays."""
        with writing(self.engine) as connection:
            self._keep_one_administrator(connection, name)
            if not connection.execute(delete(account).where(_is(name))).rowcount:
                raise AccountsError(f"there is no account {name}")

    def _keep_one_administrator(self, connection: Connection, name: str) -> None:
        others = select(account.c.name).where(account.c.role == Role.ADMINISTRATOR.word, ~_is(name))
        if not connection.execute(others).first():
            raise AccountsError(f"{name} is the only administrator: make another one first")

    def check_password(self, name: str, password: str) -> Account:
        """The account of somebody who logs in. Raises AccountsError, the same for any mistake.

        After some failures an account is locked, each time for twice as long.
        """
        with reading(self.engine) as connection:
            row = connection.execute(select(account).where(_is(name))).first()
        if row and row.locked_until > self.clock():
            minutes = int((row.locked_until - self.clock()) / 60) + 1
            raise AccountsError(f"too many failures: try again in {minutes} minutes")
        if not _verified(row.password if row else NOBODY, password) or row is None:
            is_locked = self._count_failure(name)
            raise AccountLocked(WRONG) if is_locked else AccountsError(WRONG)
        with writing(self.engine) as connection:
            connection.execute(
                update(account).where(_is(name)).values(failures=0, locked_until=0.0)
            )
        return Account(row.name, Role.of(row.role), row.language)

    def _count_failure(self, name: str) -> bool:
        """Whether the account is locked now."""
        with writing(self.engine) as connection:
            row = connection.execute(select(account.c.failures).where(_is(name))).first()
            if row is None:
                return False
            over = row.failures + 1 - FREE_FAILURES
            lock = min(LOCK_S * 2 ** min(over - 1, 20), LONGEST_LOCK_S) if over > 0 else 0.0
            values = {"failures": row.failures + 1, "locked_until": self.clock() + lock}
            connection.execute(update(account).where(_is(name)).values(values))
        return bool(over > 0)

    def close(self) -> None:
        self.engine.dispose()


def _is(name: str) -> ColumnElement[bool]:
    """Names differ by more than the case of their letters."""
    return func.lower(account.c.name) == name.lower()


def _hash(password: str, name: str) -> str:
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise AccountsError(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
    if password.lower() == name.lower():
        raise AccountsError("the password is the name: choose another one")
    return HASHER.hash(password)


def _verified(hashed: str, password: str) -> bool:
    try:
        return HASHER.verify(hashed, password[: MOST_PASSWORD + 1])
    except (VerifyMismatchError, InvalidHashError):
        return False
