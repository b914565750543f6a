"""How far each view's events are accounted for: a cursor file each, for the next start.

A cursor stays before the first event whose part has no verdict yet. So after a kill those events
come again, and the log of joined parts says which of the later ones were counted in.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edge.events.cursor_file import Cursor, read_cursor, write_cursor

SAVE_S = 0.2

Undecided = Callable[[str], Sequence[tuple[str, int]]]
"""(view) -> stream and number of its events whose parts have no verdict yet."""


class Progress:
    """The cursors of all views; `saved` may be read by any thread. Raises PublishError."""

    def __init__(self, folder: Path, views: Iterable[str]) -> None:
        self._files = {view: folder / f"{view}.cursor" for view in views}
        found = {view: read_cursor(file) for view, file in self._files.items()}
        self.saved = {view: cursor for view, cursor in found.items() if cursor is not None}
        self._received = dict(self.saved)
        self._save_at = 0.0

    def received(self, view: str, cursor: Cursor) -> None:
        """An event has come."""
        self._received[view] = cursor

    def begins(self, view: str, cursor: Cursor) -> None:
        """Where a view's first start begins: a heartbeat that comes before any event says so."""
        self._received.setdefault(view, cursor)

    def save_when_due(self, undecided: Undecided) -> None:
        """Write the cursors that have changed, some times a second: call it after each commit.

        The first of a view is written at once: without one, a next start begins with the present.
        """
        is_first = self._received.keys() != self.saved.keys()
        if is_first or time.monotonic() >= self._save_at:
            self._save_at = time.monotonic() + SAVE_S
            self.save(undecided)

    def save(self, undecided: Undecided) -> None:
        """Write the cursors that have changed."""
        for view, received in self._received.items():
            cursor = _before(received, undecided(view))
            if cursor is not None and cursor != self.saved.get(view):
                write_cursor(self._files[view], cursor)
                self.saved[view] = cursor


def _before(received: Cursor, undecided: Sequence[tuple[str, int]]) -> Cursor | None:
    """The cursor before all of these events; None while one is of an earlier stream."""
    if any(stream_id != received.stream_id for stream_id, _ in undecided):
        return None
    seq = min([received.seq, *(seq - 1 for _, seq in undecided)])
    return Cursor(received.stream_id, seq)
