"""Progress bars, on the error stream: standard output is for results."""

from collections.abc import Iterable
from typing import TypeVar

from rich import progress
from rich.console import Console

T = TypeVar("T")


def console() -> Console:
    """The console on the error stream."""
    return Console(stderr=True)


def track(items: Iterable[T], text: str, total: int | None = None) -> Iterable[T]:
    """The items, with a progress bar that is removed at the end."""
    return progress.track(items, text, total=total, transient=True, console=console())
