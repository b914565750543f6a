"""Closing at the end of a `with` block, for everything that holds a device, a socket or memory."""

from types import TracebackType
from typing import Self


class Closeable:
    """A context manager that calls `close`; closing twice is fine."""

    def close(self) -> None:
        """Nothing to give back unless a class says so."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
