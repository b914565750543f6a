"""A time on the clock of the machine that will look at it: for what must not be done too late.

Whoever asks a line is perhaps on another machine, and wall clocks may be wrong. So it first asks
for the line's own clock, and then says until when, by that clock, its question is worth an answer.
"""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class MonotonicTime(BaseModel):
    """`ns` since the machine's start `boot_id`, times when it slept included."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    boot_id: str
    ns: int

    @classmethod
    def now(cls) -> "MonotonicTime":
        """Of this machine."""
        return cls(boot_id=boot_id(), ns=_ns())

    def after(self, seconds: float) -> "MonotonicTime":
        """So much later."""
        return self.model_copy(update={"ns": self.ns + round(seconds * 1e9)})

    def has_passed(self) -> bool:
        """Whether it is over here; so is a moment of another machine, or of before its start."""
        return self.boot_id != boot_id() or self.ns < _ns()


def _ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Which start of the machine this is."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"
