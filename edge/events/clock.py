"""Times on the clock of the machine that compares them: for requests that must not come too late.

A client may run on another machine, and wall clocks may be wrong. So it first requests the line's
own time, and then says until which time of that clock its request is valid.
"""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MonotonicTime(BaseModel):
    """`ns` since the start `boot_id` of a machine, including times of suspension."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    boot_id: str
    ns: int

    @classmethod
    def now(cls) -> "MonotonicTime":
        """The time of this machine."""
        return cls(boot_id=boot_id(), ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def after(self, seconds: float) -> "MonotonicTime":
        """The time that many seconds later."""
        return self.model_copy(update={"ns": self.ns + round(seconds * 1e9)})

    def has_passed(self) -> bool:
        """Whether it is past here; a time of another machine, or of an earlier start, is."""
        now = self.now()
        return self.boot_id != now.boot_id or self.ns < now.ns


def boot_id() -> str:
    """An id of the machine's present start."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"
