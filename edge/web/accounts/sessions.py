"""Sessions: a random key in the browser's cookie, and what the server knows of it."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import ColumnElement, delete, insert, select, update

from edge.web.accounts.accounts import Account, Accounts
from edge.web.accounts.database import reading, writing
from edge.web.accounts.roles import Role
from edge.web.accounts.tables import account, session

IDLE_S = 12 * 3600.0  # a shift and a break
LONGEST_S = 7 * 24 * 3600.0
SEEN_EVERY_S = 60.0


@dataclass(frozen=True)
class Session:
    """An account that has logged in from a browser; `key` is the cookie's."""

    key: str
    account: Account
    origin: str


class Sessions:
    """The sessions of all accounts; usable from any thread. Raises AccountsError."""

    def __init__(self, accounts: Accounts) -> None:
        self._engine, self._clock = accounts.engine, accounts.clock

    def begin(self, of: Account, origin: str) -> Session:
        """A new session; its key is never one that the browser brought."""
        key = secrets.token_urlsafe(32)
        now = self._clock()
        values = {"account": of.name, "created": now, "seen": now, "origin": origin}
        with writing(self._engine) as connection:
            connection.execute(delete(session).where(self._ended(now)))
            connection.execute(insert(session).values(digest=_digest(key), **values))
        return Session(key, of, origin)

    def find(self, key: str, *, renew: bool = True) -> Session | None:
        """The session of a key, with the account as it is now; None if it has ended.

        It ends when it is not used: a page that only looks whether it goes on does not `renew` it.
        """
        now = self._clock()
        columns = (account.c.name, account.c.role, account.c.language)
        statement = (
            select(session.c.seen, session.c.origin, *columns)
            .join(account, account.c.name == session.c.account)
            .where(session.c.digest == _digest(key), ~self._ended(now))
        )
        with reading(self._engine) as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        if renew and now > row.seen + SEEN_EVERY_S:
            with writing(self._engine) as connection:
                this = session.c.digest == _digest(key)
                connection.execute(update(session).where(this).values(seen=now))
        return Session(key, Account(row.name, Role.of(row.role), row.language), row.origin)

    def end(self, key: str) -> None:
        """Log out."""
        with writing(self._engine) as connection:
            connection.execute(delete(session).where(session.c.digest == _digest(key)))

    def _ended(self, now: float) -> ColumnElement[bool]:
        return (session.c.seen < now - IDLE_S) | (session.c.created < now - LONGEST_S)


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
