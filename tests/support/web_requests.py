"""Requests to a site as any program can send them, with sessions and tokens of each role."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.web.accounts.accounts import Account, Accounts
from edge.web.accounts.roles import Role
from edge.web.accounts.sessions import Sessions
from edge.web.accounts.tokens import Tokens


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


def send(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; redirects are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def session_headers(folder: Path, role: Role, address: str) -> dict[str, str]:
    """A new session of the account named as its role, as a page of the site sends it."""
    with Accounts(folder / "web" / "accounts.db") as accounts:
        session = Sessions(accounts).begin(Account(role.word, role, "en"), "test")
    return {"cookie": f"draem_session={session.key}", "origin": address}


def token_headers(folder: Path, role: Role, name: str = "") -> dict[str, str]:
    """A new token of a role, as a program sends it."""
    with Accounts(folder / "web" / "accounts.db") as accounts:
        made = Tokens(accounts).make(name or f"program {role.word}", role, 1, "test")
    return {"authorization": f"Bearer {made}"}
