"""CPU priority of processes that must not delay the inspecting line."""

import os
from contextlib import suppress
from pathlib import Path

LOW, LOWEST = 10, 19
SESSION = 5  # a third of a full share: on a busy machine work of a low priority must end too
AUTOGROUP = Path("/proc/self/autogroup")


def yield_to_the_line(nice: int = LOW, session: int = SESSION) -> None:
    """Run this thread, and all that it starts, at a lower priority; never at a higher one.

    Call it before a program starts threads. Most Linux systems first share the CPU equally between
    sessions (`autogroup`, see sched(7)), and compare `nice` within a session only. So a process
    that leads a session lowers that one too, to the `nice` value `session`.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) < nice:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # elsewhere there is no such file
            AUTOGROUP.write_text(str(session))
