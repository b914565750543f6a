"""A log in which a message that comes again and again is written once a minute, with its number."""

import logging
import sys
import time
from dataclasses import dataclass

INTERVAL_S = 60.0
CHECK_S = 1.0
MAX_DIFFERENT = 1000  # messages that are remembered


@dataclass
class _Seen:
    until: float
    last: logging.LogRecord
    repeats: int = 0


class RepeatsHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the error stream. Of identical warnings and errors it counts those within a minute.

    The number is written with the first message of any kind after that minute, or at the end.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._due = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + CHECK_S
            self._report([key for key, seen in self._seen.items() if seen.until <= now])
        if record.levelno >= logging.WARNING and not record.exc_info:
            key = record.name, record.getMessage()
            if seen := self._seen.get(key):
                seen.repeats += 1
                return
            if len(self._seen) < MAX_DIFFERENT:
                self._seen[key] = _Seen(now + INTERVAL_S, record)
        super().emit(record)

    def _report(self, keys: list[tuple[str, str]]) -> None:
        for key in keys:
            seen = self._seen.pop(key)
            if seen.repeats:
                count = f"{seen.last.getMessage()} (repeated {seen.repeats} times)"
                seen.last.msg, seen.last.args = count, ()
                super().emit(seen.last)

    def close(self) -> None:
        """Write what was only counted."""
        with self.lock:  # type: ignore[union-attr]
            self._report(list(self._seen))
        super().close()
