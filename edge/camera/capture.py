"""The capture thread, and the queue through which its frames reach the loop.

Free-running: the queue keeps the latest frame and counts those it replaced. Triggered: no frame is
replaced; where `backlog` pictures wait already, a new one is handed over without its picture, as an
overrun. A frame without a picture is never dropped.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition, Thread
from threading import Event as StopEvent
from typing import NamedTuple

from edge.base.errors import CameraError
from edge.camera import NO_PICTURE, Camera, CameraNotice, EndOfStream, FrameTimeout, ReportsOutages
from edge.events.codes import Code
from edge.vision.frame import Frame

MAX_WAITING = 100_000
MAX_NOTICES = 100
POLL_S = 0.1


class CapturedFrame(NamedTuple):
    """A frame, and how many were replaced since the one before it."""

    frame: Frame
    passed_over: int


class CaptureEnded(Exception):
    """No more frames will come."""


class FrameQueue:
    """The frames that wait between two threads, in order.

    `backlog` is how many triggered pictures may wait; 0 is a free-running camera.
    """

    def __init__(self, *, live: bool, backlog: int) -> None:
        self._live = live
        self._backlog = backlog
        self._pictures = 0
        self._waiting: deque[CapturedFrame] = deque()
        self._notices: deque[CameraNotice] = deque(maxlen=MAX_NOTICES)
        self._changed = Condition()
        self._error: BaseException | None = None
        self._closed = False

    def put(self, frame: Frame, stop: StopEvent) -> None:
        """Hand over a frame; where it is not live, wait until the one before it was taken."""
        with self._changed:
            while not self._live and self._waiting and not stop.is_set():
                self._changed.wait(POLL_S)
            if not _has_picture(frame):
                self._append_without_picture(frame)
            elif self._pictures < max(1, self._backlog):
                self._waiting.append(CapturedFrame(frame, 0))
                self._pictures += 1
            elif self._backlog:
                self._append_without_picture(replace(frame, image=NO_PICTURE, code=Code.OVERRUN))
            else:
                replaced = next(t for t in self._waiting if _has_picture(t.frame))
                self._waiting.remove(replaced)
                self._waiting.append(CapturedFrame(frame, replaced.passed_over + 1))
            self._changed.notify_all()

    def _append_without_picture(self, frame: Frame) -> None:
        """It does not count towards the backlog and is never replaced."""
        if len(self._waiting) >= MAX_WAITING:
            raise CameraError(f"{MAX_WAITING} triggers wait: reduce the rate of the line")
        self._waiting.append(CapturedFrame(frame, 0))

    def put_notice(self, notice: CameraNotice) -> None:
        """Hand over a change of the camera's state that the loop is to report."""
        with self._changed:
            self._notices.append(notice)
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """No more frames come; `error` says why where it was not the end of the stream."""
        with self._changed:
            self._closed, self._error = True, error
            self._changed.notify_all()

    def take_notice(self) -> CameraNotice | None:
        """The oldest change of the camera's state that has not been reported."""
        with self._changed:
            return self._notices.popleft() if self._notices else None

    def take(self, timeout_ms: float) -> CapturedFrame | None:
        """The next frame, or None where none came in time, or where a notice waits instead.

        Raises CaptureEnded after the last one, or the error that ended the capture thread.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._notices or self._waiting or self._closed, timeout_ms / 1000
            )
            if self._waiting:
                taken = self._waiting.popleft()
                self._pictures -= _has_picture(taken.frame)
                self._changed.notify_all()
                return taken
            if self._closed and not self._notices:
                raise self._error or CaptureEnded
            return None


def _has_picture(frame: Frame) -> bool:
    return frame.image.size > 0


@contextmanager
def capturing(camera: Camera, stop: StopEvent, backlog: int) -> Iterator[FrameQueue]:
    """Read the camera on a thread of its own until the block ends. `backlog` as for FrameQueue."""
    frames = FrameQueue(live=camera.live, backlog=backlog)
    thread = Thread(target=_read_all, args=(camera, frames, stop), name="capture", daemon=True)
    thread.start()
    try:
        yield frames
    finally:
        stop.set()
        # A driver that hangs in a read must not keep the program from ending.
        thread.join(timeout=1.0)


def _read_all(camera: Camera, frames: FrameQueue, stop: StopEvent) -> None:
    """The capture thread. An error that ends it is raised in the loop."""
    pause_s = 0.0 if isinstance(camera, ReportsOutages) else POLL_S
    try:
        while not stop.is_set():
            try:
                frames.put(camera.read(), stop)
            except FrameTimeout:
                stop.wait(pause_s)  # the loop has a deadline of its own
            except CameraNotice as notice:
                frames.put_notice(notice)
    except EndOfStream:
        frames.close()
    except BaseException as error:  # noqa: BLE001  handed to the loop, which raises it
        frames.close(error)
    else:
        for frame in camera.unfinished() if isinstance(camera, ReportsOutages) else ():
            frames.put(frame, stop)
        frames.close()
