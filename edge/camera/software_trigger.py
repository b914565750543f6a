"""Triggers from outside (a PLC through its bridge, or any client) to a camera of this program.

A command to a camera that was just lost may hang for seconds, so a thread of its own sends it. One
that had to wait would photograph a later part: it ends as NO_VERDICT instead.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Self

from edge.base.closeable import Closeable
from edge.camera import Camera
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.trigger_matching import MAX_DELAY_S, Trigger, TriggerMatcher
from edge.events.codes import Code

log = logging.getLogger(__name__)


class SoftwareTriggers(Closeable):
    """Sends each trigger to the camera, in order; `submit` never waits."""

    def __init__(self, send: Callable[[Trigger], None], matcher: TriggerMatcher) -> None:
        self._send, self._matcher = send, matcher
        self._sender = ThreadPoolExecutor(1, "triggers")

    @classmethod
    def of(cls, camera: Camera) -> Self | None:
        """Those of a camera, or None where the program does not trigger it."""
        if isinstance(camera, ReconnectingCamera) and camera.matcher is not None:
            return cls(camera.trigger, camera.matcher)
        return None

    def submit(self, trigger: Trigger) -> None:
        """A part is under the camera now."""
        sent = self._sender.submit(self._give, trigger, time.monotonic())
        sent.add_done_callback(partial(_log_cancelled, trigger))

    def reject_late(self, trigger: Trigger) -> None:
        """A part was under the camera, and has passed."""
        self._sender.submit(self._matcher.reject, trigger, Code.OVERRUN)

    def _give(self, trigger: Trigger, submitted_s: float) -> None:
        waited_s = time.monotonic() - submitted_s
        if waited_s > MAX_DELAY_S:
            log.warning(
                "trigger %d waited %.0f ms for the camera (allowed %.0f): the command before it "
                "hangs, or the machine is busy",
                trigger.trigger_id,
                1000 * waited_s,
                1000 * MAX_DELAY_S,
            )
            self._matcher.reject(trigger, Code.OVERRUN)
            return
        try:
            self._send(trigger)
        except Exception:  # nothing else would report it
            log.exception("trigger %d could not be sent", trigger.trigger_id)
            if not self._matcher.fail(Code.CAMERA_LOST, trigger):
                self._matcher.reject(trigger, Code.OVERRUN)

    def close(self) -> None:
        """Triggers that still wait behind a command that hangs are not sent; the log names them."""
        self._sender.shutdown(wait=False, cancel_futures=True)


def _log_cancelled(trigger: Trigger, sent: Future[None]) -> None:
    if sent.cancelled():
        log.warning("trigger %d was not sent any more: take its part out", trigger.trigger_id)
