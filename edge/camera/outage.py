"""The outages of one camera: what was reported of each, and when to connect again."""

import time

from edge.camera import CameraNotice
from edge.events.codes import Code

FIRST_WAIT_S, MAX_WAIT_S = 0.1, 1.0


class Outages:
    """Raises CameraNotice at the beginning and the end of each outage.

    `counters` has the names outages and reconnected.
    """

    def __init__(self, name: str, counters: dict[str, int]) -> None:
        self._name, self._counters = name, counters
        self._began_s: float | None = None
        self._reported: set[Code] = set()
        self._wait_s, self._next_try_s = FIRST_WAIT_S, 0.0

    @property
    def active(self) -> bool:
        """Whether the camera is lost."""
        return self._began_s is not None

    def next_try_in_s(self) -> float:
        """How long to wait before connecting again; 0 or less where it is time."""
        return self._next_try_s - time.monotonic()

    def back_off(self) -> None:
        """A connection has failed: wait before the next one, longer each time."""
        self._next_try_s = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, MAX_WAIT_S)

    def report(self, code: Code, reason: str) -> None:
        """Raise the beginning of an outage, or another reason for the present one."""
        if self._began_s is None:
            self._counters["outages"] += 1
            self._began_s = time.monotonic()
        elif code in self._reported or code is Code.CAMERA_LOST:
            return
        self._reported.add(code)
        raise CameraNotice(code, f"{self._name}: {reason}; reconnecting until it is back")

    def end(self) -> None:
        """Raise CAMERA_BACK where the camera was lost."""
        if self._began_s is None:
            return
        took_s = time.monotonic() - self._began_s
        self._began_s, self._wait_s = None, FIRST_WAIT_S
        self._reported.clear()
        self._counters["reconnected"] += 1
        raise CameraNotice(Code.CAMERA_BACK, f"{self._name} is back after {took_s:.1f} s")
