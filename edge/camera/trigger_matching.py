"""Which frame belongs to which trigger, where the program itself triggers the camera.

One trigger is under way at a time. So the next frame is its frame, if it was taken after the
trigger was given; after a trigger without a frame the camera has to be started anew (`resync`),
since a late frame could otherwise be taken for that of the next part.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from edge.events.event import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

LONGEST_QUEUE = 1000
LATEST_S = 0.05
"""A command that reaches the camera later than this would photograph a later part."""
LATEST_NS = round(LATEST_S * 1e9)


@dataclass(frozen=True)
class Trigger:
    """A part to be looked at, as the PLC names it."""

    trigger_id: int
    encoder: int | None = None
    part_id: str | None = None


def without_picture(trigger: Trigger, code: Code, frame_id: int = 0) -> Frame:
    """The frame of a trigger that has none: NO_VERDICT for its id."""
    return Frame(
        np.zeros((0, 0, 3), np.uint8),
        frame_id,
        time.monotonic_ns(),
        trigger.trigger_id,
        trigger.encoder,
        trigger.part_id,
        code,
    )


class TriggerMatching:
    """Ties frames to triggers; `ask` may be called from any thread, all else from the camera's.

    `dropped` counts the triggers that found the queue of those without a picture full.
    """

    def __init__(self, deadline_ms: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._deadline_ns = deadline_ms * 1_000_000
        self._clock = clock
        self._under_way: tuple[Trigger, int] | None = None
        self._answered = False
        self._ended: deque[Frame] = deque()
        self._refused: deque[Frame] = deque()
        self._lock = Lock()
        self._ready_ns = 0
        self.dropped, self._dropping = 0, False
        self._stopped = False
        self.resync = False
        self.giving = Lock()
        """Held while a command is on its way to the camera, which repeats it for seconds."""

    def settle(self, seconds: float) -> None:
        """The camera has just been started: what comes before then may be of an older trigger."""
        self._ready_ns = self._clock() + round(seconds * 1e9)

    def ask(self, trigger: Trigger, *, connected: bool = True) -> bool:
        """Whether the camera may be triggered now; else the trigger ends, in its order."""
        with self._lock:
            able = connected and not self.resync and self._clock() >= self._ready_ns
            if self._under_way is None and able and not self._stopped:
                self._under_way, self._answered = (trigger, self._clock()), False
                return True
            self._refuse(trigger, Code.OVERRUN if connected else Code.CAMERA_LOST)
            return False

    def answered(self, trigger: Trigger, asked_ns: int) -> None:
        """The camera has its command now; one that took long was of another part."""
        took_ns = self._clock() - asked_ns
        with self._lock:
            self._answered = took_ns <= LATEST_NS
        if self._answered:
            return
        self.resync = True
        if self.give_up(Code.OVERRUN, trigger):
            log.warning(
                "the camera had the command of trigger %d only after %.0f ms (allowed %.0f): look "
                "for lost packets, a busy network or a busy machine",
                trigger.trigger_id,
                took_ns / 1e6,
                LATEST_NS / 1e6,
            )

    def stop(self) -> None:
        """What is under way ends as STOPPED; of what comes later the log tells."""
        with self._lock:
            self._stopped = True
        self.give_up(Code.STOPPED)

    def too_late(self, trigger: Trigger) -> None:
        """The trigger ends without a picture, in its order."""
        with self._lock:
            self._refuse(trigger, Code.OVERRUN)

    def _refuse(self, trigger: Trigger, code: Code) -> None:
        later = self._refused if self._under_way else self._ended
        if self._stopped:
            log.warning(
                "trigger %d came after the line had stopped: take its part out", trigger.trigger_id
            )
        elif len(later) < LONGEST_QUEUE:
            later.append(without_picture(trigger, code))
        else:
            self._drop(trigger)

    def _drop(self, trigger: Trigger) -> None:
        """Count it; a queue that is full is logged once until it is empty again."""
        self.dropped += 1
        if not self._dropping:
            log.error(
                "%d triggers wait without a picture: from trigger %d on they are dropped (counter "
                "triggers_dropped): slow the triggers down, and take those parts out",
                LONGEST_QUEUE,
                trigger.trigger_id,
            )
        self._dropping = True

    def tie(self, frame: Frame) -> Frame:
        """The frame with the ids of its trigger; UNTIED where it is not that of any."""
        with self._lock:
            if self._under_way is None or frame.captured_ns < self._under_way[1]:
                return replace(frame, code=Code.UNTIED)
            trigger, asked_ns = self._under_way
            if frame.captured_ns - asked_ns > (self._deadline_ns if self._answered else LATEST_NS):
                return replace(frame, code=Code.UNTIED)  # the trigger is told as lost or late
            self._end()
            return replace(
                frame,
                trigger_id=trigger.trigger_id,
                encoder=trigger.encoder,
                part_id=trigger.part_id,
            )

    def give_up(self, code: Code, only: Trigger | None = None) -> bool:
        """No frame will come for what is under way, or for that one trigger; whether it was."""
        with self._lock:
            if self._under_way is None or only not in (None, self._under_way[0]):
                return False
            self._ended.append(without_picture(self._under_way[0], code))
            self._end()
            return True

    def _end(self) -> None:
        self._under_way = None
        self._ended.extend(self._refused)
        self._refused.clear()

    def ended(self) -> Frame | None:
        """The next trigger that ended without a picture, in order; the deadline is looked at."""
        under_way = self._under_way
        if under_way is not None and self._clock() - under_way[1] > self._deadline_ns:
            self.resync = True
            self.give_up(Code.TRIGGER_LOST)
        with self._lock:
            if not self._ended:
                self._dropping = self._dropping and bool(self._refused)
                return None
            return self._ended.popleft()
