"""Events that wait in memory while the log cannot be written."""

import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from edge.events.codes import Code
from edge.events.event import AnyHeader, CodeName, Fault
from edge.events.stamps import UNSTAMPED

MAX_WAITING = 20_000
BATCH = 100
CATCH_UP_S = 0.05  # of the loop's time, at each heartbeat

Commit = Callable[[list[AnyHeader]], object]


class UnloggedQueue:
    """Headers in order, up to MAX_WAITING; of later ones only the number, first and last stay."""

    def __init__(self) -> None:
        self._waiting: deque[AnyHeader] = deque()
        self._ends: list[AnyHeader] = []  # the first and the last of those that are only counted
        self._more = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ends) + self._more

    @property
    def in_order(self) -> bool:
        """Whether a header waits that a later one must not overtake."""
        return bool(self._waiting)

    def add(self, headers: list[AnyHeader]) -> None:
        """Append headers; once one was only counted, all later ones are too."""
        room = 0 if self._ends else max(0, MAX_WAITING - len(self._waiting))
        self._waiting.extend(headers[:room])
        self._ends += headers[room:]
        if len(self._ends) > 2:
            self._more += len(self._ends) - 2
            self._ends = [self._ends[0], self._ends[-1]]

    def catch_up(self, commit: Commit) -> None:
        """Commit what waits, for a limited time. Raises what `commit` raises; nothing is lost."""
        end = time.monotonic() + CATCH_UP_S
        while self._waiting and time.monotonic() < end:
            batch = list(islice(self._waiting, BATCH))
            commit(batch)
            for _ in batch:
                self._waiting.popleft()
        if self._ends and not self._waiting:
            commit([self._too_many()])
            self._ends, self._more = [], 0

    def _too_many(self) -> Fault:
        ids = [str(getattr(header, "trigger_id", None)) for header in self._ends]
        text = (
            f"{len(self._ends) + self._more} more events of the same time could not be kept "
            f"(triggers {' to '.join(ids)}): take those parts out"
        )
        return Fault(**UNSTAMPED, code=CodeName.of(Code.UNLOGGED), message=text)
