"""Progress bars, on the error stream: standard output is for results."""

from collections.abc import Iterable, Sized
from typing import TypeVar

from rich import progress
from rich.console import Console

from edge.base.progress_file import tell_progress

T = TypeVar("T")


def console() -> Console:
    """The console on the error stream."""
    return Console(stderr=True)


def track(items: Iterable[T], text: str, total: int | None = None) -> Iterable[T]:
    """The items, with a progress bar that is removed at the end."""
    count = len(items) if total is None and isinstance(items, Sized) else total
    shown = progress.track(items, text, total=count, transient=True, console=console())
    for done, item in enumerate(shown, start=1):
        yield item
        if count is not None:
            tell_progress(text, done, count)
