"""The capture thread and the slot through which its frames reach the loop.

Free-running: the slot keeps the latest frame and counts those it replaced. Triggered: no frame is
replaced; a trigger that comes while as many frames wait as may (one unless told otherwise) is
handed over without its picture, as an overrun. What came without a picture is always told.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition, Thread
from threading import Event as StopEvent
from typing import NamedTuple

import numpy as np

from edge.base.errors import CameraError
from edge.camera import Camera, CameraNotice, EndOfStream, FrameTimeout, ReportsOutages
from edge.events.event import Code
from edge.vision.frame import Frame

LARGEST_BACKLOG = 100_000
MOST_TROUBLES = 100
OPEN_MS = 100


class CapturedFrame(NamedTuple):
    """A frame, and how many were passed over since the one before it."""

    frame: Frame
    passed_over: int


class CaptureEnded(Exception):
    """No more frames will come."""


class FrameQueue:
    """The waiting pictures between two threads, and among them, in order, what overran.

    `backlog` is how many triggered pictures may wait; 0 is a free-running camera.
    """

    def __init__(self, *, live: bool, backlog: int) -> None:
        self._live = live
        self._backlog = backlog
        self._pictures = 0
        self._waiting: deque[CapturedFrame] = deque()
        self._troubles: deque[CameraNotice] = deque(maxlen=MOST_TROUBLES)
        self._changed = Condition()
        self._error: BaseException | None = None
        self._closed = False

    def put(self, frame: Frame, stop: StopEvent) -> None:
        """Hand over a frame; where it is not live, wait until the one before it was taken."""
        with self._changed:
            while not self._live and self._waiting and not stop.is_set():
                self._changed.wait(OPEN_MS / 1000)
            if not _has_picture(frame):
                self._tell_without(frame)
            elif self._pictures < max(1, self._backlog):
                self._waiting.append(CapturedFrame(frame, 0))
                self._pictures += 1
            elif self._backlog:
                blank = np.zeros((0, 0, 3), np.uint8)
                self._tell_without(replace(frame, image=blank, code=Code.OVERRUN))
            else:
                replaced = next(t for t in self._waiting if _has_picture(t.frame))
                self._waiting.remove(replaced)
                self._waiting.append(CapturedFrame(frame, replaced.passed_over + 1))
            self._changed.notify_all()

    def _tell_without(self, frame: Frame) -> None:
        """A frame without a picture takes nobody's place, and is not replaced."""
        if len(self._waiting) >= LARGEST_BACKLOG:
            raise CameraError(f"{LARGEST_BACKLOG} triggers wait, far too many: slow the line down")
        self._waiting.append(CapturedFrame(frame, 0))

    def tell(self, trouble: CameraNotice) -> None:
        """Something happened to the camera that the loop is to tell; reading goes on."""
        with self._changed:
            self._troubles.append(trouble)
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """No more frames come; `error` says why where it was not the end of the stream."""
        with self._changed:
            self._closed, self._error = True, error
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._troubles or self._waiting or self._closed)

    def trouble(self) -> CameraNotice | None:
        """What is to be told of the camera, if there is something."""
        with self._changed:
            return self._troubles.popleft() if self._troubles else None

    def take(self, timeout_ms: float) -> CapturedFrame | None:
        """The next frame, or None where none came in time, or before a trouble.

        Raises Ended after the last one, or the error that ended the capture thread.
        """
        with self._changed:
            self._changed.wait_for(self._has_news, timeout_ms / 1000)
            if self._waiting:
                taken = self._waiting.popleft()
                self._pictures -= _has_picture(taken.frame)
                self._changed.notify_all()
                return taken
            if self._troubles:
                return None
            if self._error:
                raise self._error
            if self._closed:
                raise CaptureEnded
            return None


def _has_picture(frame: Frame) -> bool:
    return frame.image.size > 0


@contextmanager
def capturing(camera: Camera, stop: StopEvent, backlog: int) -> Iterator[FrameQueue]:
    """Read the camera on a thread of its own; the block's end stops it. `backlog` as for Slot."""
    slot = FrameQueue(live=camera.live, backlog=backlog)
    thread = Thread(target=_read_all, args=(camera, slot, stop), name="capture", daemon=True)
    thread.start()
    try:
        yield slot
    finally:
        stop.set()
        # A driver that hangs in a read must not keep the program from ending.
        thread.join(timeout=1.0)


def _read_all(camera: Camera, slot: FrameQueue, stop: StopEvent) -> None:
    """The capture thread: whatever ends it is told to the loop."""
    pause_s = 0.0 if isinstance(camera, ReportsOutages) else OPEN_MS / 1000
    try:
        while not stop.is_set():
            try:
                slot.put(camera.read(), stop)
            except FrameTimeout:
                stop.wait(pause_s)  # the loop notices by its own deadline
            except CameraNotice as trouble:
                slot.tell(trouble)
    except EndOfStream:
        slot.close()
    except BaseException as error:  # noqa: BLE001  handed to the loop, which raises it
        slot.close(error)
    else:
        for frame in camera.unfinished() if isinstance(camera, ReportsOutages) else ():
            slot.put(frame, stop)
        slot.close()
