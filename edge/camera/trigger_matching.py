"""Match triggers to frames, where the program itself triggers the camera.

One trigger is in progress at a time, so the next frame is its frame, if it was taken after the
trigger was sent. After a trigger without a frame the camera's acquisition has to be restarted
(`needs_restart`): a late frame could otherwise be taken for that of the next part.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from edge.camera import NO_PICTURE
from edge.events.codes import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

MAX_WAITING = 1000
MAX_DELAY_S = 0.05
"""A command that reaches the camera later than this would photograph a later part."""
MAX_DELAY_NS = round(MAX_DELAY_S * 1e9)


@dataclass(frozen=True)
class Trigger:
    """A part to take a picture of, with the ids that the PLC gives it."""

    trigger_id: int
    encoder: int | None = None
    part_id: str | None = None


class TriggerMatcher:
    """Matches triggers to frames.

    `begin` and `reject` may be called from any thread, the rest from the camera's.
    A trigger without a frame ends as a frame without a picture, whose code says why. `dropped`
    counts the triggers that found the queue of those frames full. `clock` is in nanoseconds.
    """

    def __init__(self, deadline_ms: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._deadline_ns = deadline_ms * 1_000_000
        self._clock = clock
        self._in_progress: tuple[Trigger, int] | None = None  # and when it began
        self._acknowledged = False
        self._ended: deque[Frame] = deque()
        self._behind: deque[Frame] = deque()  # rejected; they end after the one in progress
        self._lock = Lock()
        self._ready_ns = 0
        self.dropped, self._dropping = 0, False
        self._stopped = False
        self.needs_restart = False
        self.commanding = Lock()
        """Held while a command is sent to the camera; it may be repeated for seconds."""

    def refuse_for(self, seconds: float) -> None:
        """The camera was just started: a frame until then may belong to an older trigger."""
        self._ready_ns = self._clock() + round(seconds * 1e9)

    def begin(self, trigger: Trigger, *, connected: bool = True) -> bool:
        """Whether the camera may be triggered now; if not, the trigger ends without a picture."""
        with self._lock:
            ready = connected and not self.needs_restart and self._clock() >= self._ready_ns
            if self._in_progress is None and ready and not self._stopped:
                self._in_progress, self._acknowledged = (trigger, self._clock()), False
                return True
            self._reject(trigger, Code.OVERRUN if connected else Code.CAMERA_LOST)
            return False

    def acknowledged(self, trigger: Trigger, sent_ns: int) -> None:
        """The camera has its command now; if that took too long, the picture is of another part."""
        took_ns = self._clock() - sent_ns
        with self._lock:
            self._acknowledged = took_ns <= MAX_DELAY_NS
        if self._acknowledged:
            return
        self.needs_restart = True
        if self.fail(Code.OVERRUN, trigger):
            log.warning(
                "the camera had the command of trigger %d only after %.0f ms (allowed %.0f): check "
                "for lost packets, a busy network or a busy machine",
                trigger.trigger_id,
                took_ns / 1e6,
                MAX_DELAY_NS / 1e6,
            )

    def stop(self) -> None:
        """End the trigger in progress as STOPPED; those that come later are only logged."""
        with self._lock:
            self._stopped = True
        self.fail(Code.STOPPED)

    def reject(self, trigger: Trigger, code: Code) -> None:
        """End a trigger that was never begun, in its order."""
        with self._lock:
            self._reject(trigger, code)

    def _reject(self, trigger: Trigger, code: Code) -> None:
        waiting = self._behind if self._in_progress else self._ended
        if self._stopped:
            log.warning(
                "trigger %d came after the line had stopped: take its part out", trigger.trigger_id
            )
        elif len(waiting) < MAX_WAITING:
            waiting.append(_without_picture(trigger, code))
        else:
            self.dropped += 1
            if not self._dropping:  # logged once until the queue has been empty
                log.error(
                    "%d triggers wait without a picture: from trigger %d on they are dropped "
                    "(counter triggers_dropped): slow the triggers down, and take those parts out",
                    MAX_WAITING,
                    trigger.trigger_id,
                )
            self._dropping = True

    def match(self, frame: Frame) -> Frame:
        """The frame with the ids of its trigger; UNTIED where it belongs to none."""
        with self._lock:
            if self._in_progress is None or frame.captured_ns < self._in_progress[1]:
                return replace(frame, code=Code.UNTIED)
            trigger, began_ns = self._in_progress
            allowed_ns = self._deadline_ns if self._acknowledged else MAX_DELAY_NS
            if frame.captured_ns - began_ns > allowed_ns:
                return replace(frame, code=Code.UNTIED)  # its trigger ends as lost or as overrun
            self._end()
            return replace(frame, **vars(trigger))

    def fail(self, code: Code, only: Trigger | None = None) -> bool:
        """No frame will come for the trigger in progress (or `only` that one); whether it was."""
        with self._lock:
            if self._in_progress is None or only not in (None, self._in_progress[0]):
                return False
            self._ended.append(_without_picture(self._in_progress[0], code))
            self._end()
            return True

    def _end(self) -> None:
        self._in_progress = None
        self._ended.extend(self._behind)
        self._behind.clear()

    def next_ended(self) -> Frame | None:
        """The next trigger that ended without a picture, in order; its deadline is checked here."""
        in_progress = self._in_progress
        if in_progress is not None and self._clock() - in_progress[1] > self._deadline_ns:
            self.needs_restart = True
            self.fail(Code.TRIGGER_LOST)
        with self._lock:
            if not self._ended:
                self._dropping = self._dropping and bool(self._behind)
                return None
            return self._ended.popleft()


def _without_picture(trigger: Trigger, code: Code) -> Frame:
    return Frame(NO_PICTURE, 0, time.monotonic_ns(), code=code, **vars(trigger))
