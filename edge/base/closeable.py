"""Base class of everything that holds a device, a socket, a file or memory."""

from typing import Self


class Closeable:
    """A context manager that calls `close` at its end; closing twice must do no harm."""

    def close(self) -> None:
        """Release what is held; by default nothing is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
