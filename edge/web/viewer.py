"""Who looks at a page: account, language, permissions; and the record of what they change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from starlette.concurrency import run_in_threadpool

from edge.archive.archive import Archive
from edge.archive.audit import Change
from edge.base.person import Person
from edge.web.accounts.accounts import Account
from edge.web.accounts.roles import NotAllowed, Role
from edge.web.accounts.sessions import Session
from edge.web.texts import Texts

Result = TypeVar("Result")


class Keys(Protocol):
    """Knows whose a key is now: sessions of browsers, or tokens of programs."""

    def find(self, key: str) -> Session | None:
        """The session of a key; None if it has ended."""


@dataclass(frozen=True)
class Viewer:
    """An account that has a page open, or a program with a token.

    `texts` has the language. A page stays open for long: `require` and `change` look up the
    session and the role as they are at that moment.
    """

    session: Session
    texts: Texts
    sessions: Keys
    archive: Archive

    @property
    def account(self) -> Account:
        """The account as it was when the page was opened."""
        return self.session.account

    def person(self, reason: str = "") -> Person:
        """Who makes a change, for a station and for the audit trail."""
        return Person(self.account.name, f"web {self.session.origin}", reason)

    def may(self, role: Role) -> bool:
        """Whether to offer something that needs this role."""
        return self.account.role >= role

    def require(self, role: Role) -> None:
        """Raise NotAllowed unless the session is still valid and has the role."""
        now = self.sessions.find(self.session.key)
        if now is None:
            raise NotAllowed(self.texts.say("your session has ended: log in again"))
        if now.account.role < role:
            raise NotAllowed(
                self.texts.say("this needs the role {role}: ask an administrator", role=role.word)
            )

    async def change(
        self,
        role: Role,
        action: str,
        target: str,
        do: Callable[[], Result],
        *,
        old: str = "",
        new: str = "",
        reason: str = "",
    ) -> Result:
        """Check the role, write the audit entry, then do it in another thread.

        An entry that cannot be written refuses the change; a change that fails has an entry too.
        Raises NotAllowed, ArchiveError and what `do` raises.
        """
        await run_in_threadpool(self.require, role)

        by = self.person(reason)
        change = Change(by.who, by.origin, action, target, old, new, by.reason)

        def recorded() -> Result:
            with self.archive.audit.recorded(change):
                return do()

        done: Result = await run_in_threadpool(recorded)
        return done
