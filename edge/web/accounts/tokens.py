"""Tokens for programs: made and revoked by administrators, shown once, kept as SHA-256."""

import secrets
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import delete, insert, select, update

from edge.web.accounts.accounts import NAME, Account, Accounts
from edge.web.accounts.database import AccountsError, reading, writing
from edge.web.accounts.roles import Role
from edge.web.accounts.sessions import SEEN_EVERY_S, Session
from edge.web.accounts.tables import token

PREFIX = "draem_"
MOST_DAYS = 730
DAY_S = 86_400.0


@dataclass(frozen=True)
class Token:
    """What is known of a token; times in seconds since 1970."""

    name: str
    role: Role
    made_by: str
    created: float
    expires: float
    used: float | None


class Tokens:
    """The tokens of all programs; usable from any thread. Raises AccountsError."""

    def __init__(self, accounts: Accounts) -> None:
        self._engine, self._clock = accounts.engine, accounts.clock

    def all(self) -> list[Token]:
        """All tokens by name, those that have expired too."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(token).order_by(token.c.name)).all()
        return [
            Token(row.name, Role.of(row.role), row.made_by, row.created, row.expires, row.used)
            for row in rows
        ]

    def make(self, name: str, role: Role, days: int, made_by: str) -> str:
        """A new token, which nobody can see again."""
        if not NAME.fullmatch(name):
            raise AccountsError(
                f"'{name}' cannot be a token's name: write at most 64 letters, digits, spaces, "
                "_ . @ and -, and begin with a letter or digit"
            )
        if not 1 <= days <= MOST_DAYS:
            raise AccountsError(f"a token is valid for 1 to {MOST_DAYS} days: correct the days")
        made, now = PREFIX + secrets.token_urlsafe(32), self._clock()
        values = {"role": role.word, "made_by": made_by, "created": now, "digest": _digest(made)}
        values["expires"] = now + days * DAY_S
        with writing(self._engine) as connection:
            if connection.execute(select(token.c.name).where(token.c.name == name)).first():
                raise AccountsError(f"there is a token {name} already: choose another name")
            connection.execute(insert(token).values(name=name, **values))
        return made

    def revoke(self, name: str) -> None:
        """From now on the token is refused."""
        with writing(self._engine) as connection:
            if not connection.execute(delete(token).where(token.c.name == name)).rowcount:
                raise AccountsError(f"there is no token {name}: it may have been revoked already")

    def find(self, key: str) -> Session | None:
        """The session of a token that is valid now; its account is named `token NAME`."""
        now, this = self._clock(), token.c.digest == _digest(key)
        statement = select(token).where(this, token.c.expires > now)
        with reading(self._engine) as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        if row.used is None or now > row.used + SEEN_EVERY_S:
            with writing(self._engine) as connection:
                connection.execute(update(token).where(this).values(used=now))
        return Session(key, Account(f"token {row.name}", Role.of(row.role), "en"), "")


class TokensFrom:
    """Tokens, as used from one address: sessions that they give name it."""

    def __init__(self, tokens: Tokens, origin: str) -> None:
        self._tokens, self._origin = tokens, origin

    def find(self, key: str) -> Session | None:
        """As `Tokens.find`."""
        found = self._tokens.find(key)
        return replace(found, origin=self._origin) if found else None


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
