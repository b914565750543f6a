"""`AuditTrail`: what the page, commands and scripts read of it and add to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from edge.archive import audit
from edge.archive.audit import Change, Entry
from edge.archive.database import reading, writing
from edge.base.person import LONGEST_REASON

PAGE = 500


class AuditTrail:
    """The audit trail of an archive's database. Raises ArchiveError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, change: Change) -> int:
        """Add an entry; its number."""
        audit.check(change)
        with writing(self._engine) as connection:
            return audit.add_entry(connection, change)

    @contextmanager
    def recorded(self, change: Change) -> Iterator[None]:
        """Record a change before it is made in the block, and an error that ends it.

        Where the entry cannot be written, the block is not run.
        """
        self.record(change)
        try:
            yield
        except Exception as error:
            why = str(error)[:LONGEST_REASON]
            self.record(replace(change, action=f"{change.action} failed", reason=why))
            raise

    def newest(self, limit: int = 50, before: int | None = None) -> Sequence[Entry]:
        """Entries, newest first; the next page is `before` the last number."""
        with reading(self._engine) as connection:
            return audit.newest_entries(connection, limit, before)

    def between(self, since: datetime, until: datetime, limit: int = PAGE) -> list[Entry]:
        """The first entries of a period."""
        with reading(self._engine) as connection:
            return audit.entries_between(connection, since, until, limit)

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first, read page by page."""
        number = 0
        while True:
            with reading(self._engine) as connection:
                page = audit.entries_after(connection, number, PAGE)
            yield from page
            if len(page) < PAGE:
                return
            number = page[-1].number

    def head(self) -> str:
        """Number and digest of the last entry."""
        with reading(self._engine) as connection:
            return audit.head_of(connection)

    def faults(self) -> list[str]:
        """What is wrong with it; this reads all of it."""
        with reading(self._engine, of_one_moment=True) as connection:
            return audit.faults_of(connection)

    def verified(self) -> tuple[list[Entry], list[str], str]:
        """All entries, oldest first; what is wrong with them; number and digest of the head."""
        with reading(self._engine, of_one_moment=True) as connection:
            return (
                audit.entries(connection),
                audit.faults_of(connection),
                audit.head_of(connection),
            )
