"""Triggers from outside (a PLC by way of its bridge, or any client) to a camera of this program.

A command to a camera that has just been lost may hang for seconds, so a thread of its own gives it.
One that had to wait would photograph a later part: it ends as NO_VERDICT instead.
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from edge.base.closeable import Closeable
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.trigger_matching import LATEST_S, Trigger

log = logging.getLogger(__name__)


class SoftwareTriggers(Closeable):
    """Gives each trigger to the camera in its order; `ask` never waits."""

    def __init__(self, camera: ReconnectingCamera) -> None:
        self._camera = camera
        self._giving = ThreadPoolExecutor(1, "triggers")

    def ask(self, trigger: Trigger) -> None:
        """A part is under the camera now."""
        given = self._giving.submit(self._give, trigger, time.monotonic())
        given.add_done_callback(partial(_tell_cancelled, trigger))

    def too_late(self, trigger: Trigger) -> None:
        """A part was under the camera, and has passed."""
        self._giving.submit(self._camera.too_late, trigger)

    def _give(self, trigger: Trigger, asked_s: float) -> None:
        try:
            waited_s = time.monotonic() - asked_s
            if waited_s > LATEST_S:
                log.warning(
                    "trigger %d waited %.0f ms for the camera (allowed %.0f): its command before "
                    "hangs, or the machine is busy",
                    trigger.trigger_id,
                    1000 * waited_s,
                    1000 * LATEST_S,
                )
                self._camera.too_late(trigger)
            else:
                self._camera.trigger(trigger)
        except Exception:  # nobody waits for this
            log.exception("trigger %d could not be given", trigger.trigger_id)
            self._camera.give_up(trigger)

    def close(self) -> None:
        """What still waits, behind a command that hangs, is not given; the log names it."""
        self._giving.shutdown(wait=False, cancel_futures=True)


def _tell_cancelled(trigger: Trigger, given: Future[None]) -> None:
    if given.cancelled():
        log.warning("trigger %d was not given any more: take its part out", trigger.trigger_id)
