"""A clock that tests move, in the place of the module `time`."""

import time


class Clock:
    """Some seconds ahead of the real one, so that what events have as `published_at` is past."""

    def __init__(self) -> None:
        self.s = 1000.0
        self._wall_ns = time.time_ns() + 3600 * 10**9

    def monotonic(self) -> float:
        return self.s

    def monotonic_ns(self) -> int:
        return round(self.s * 1e9)

    def time_ns(self) -> int:
        return self._wall_ns + self.monotonic_ns()
