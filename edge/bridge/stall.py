"""Whether the loop that reads from a PLC was held up: what it reads then may be old.

A loop that was stopped or starved finds in its sockets what was written meanwhile.
"""

import asyncio
import time

TURN_S = 0.02
AFTER_S = 0.25  # all that had come meanwhile has been read by then


class StallDetector:
    """Notices when `turn` was not called for `limit_s`; nothing, before it is called at all."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = TURN_S + limit_s
        self._turned, self._until = float("inf"), 0.0

    def mark_turn(self) -> None:
        """The loop goes round."""
        now = time.monotonic()
        if now - self._turned > self._limit_s:
            self.mark_stalled()
        self._turned = now

    def mark_stalled(self) -> None:
        """It will not have read something for a while, whether it turned or not."""
        self._until = time.monotonic() + AFTER_S

    def stalled(self) -> bool:
        """Whether the loop stood still until this moment, or shortly before."""
        now = time.monotonic()
        return now - self._turned > self._limit_s or now < self._until

    async def watch(self) -> None:
        """Turn with the running loop, until this is cancelled."""
        while True:
            self.mark_turn()
            await asyncio.sleep(TURN_S)
