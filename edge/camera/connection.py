"""One connection to a camera on a thread of its own: a driver that hangs blocks nothing else."""

import contextlib
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event as StopEvent
from threading import Thread

from edge.base.errors import CameraError
from edge.camera import Camera, FrameTimeout
from edge.vision.frame import Frame

CHECK_EVERY_S = 0.5
MAX_WAITING = 64
FULL_WAIT_S = 0.01

Connect = Callable[[], Camera]


class CameraConnection:
    """Connects, reads and finally closes one camera object, all on its own thread.

    Where the driver hangs, this object is abandoned; it closes its camera when the driver returns.
    Where the camera has `check`, a second thread calls it every half second, to see whether the
    camera still answers. `opened_s` and `first_frame_s` are on the monotonic clock, None before.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.camera: Camera | None = None
        self.began_s = time.monotonic()
        self.opened_s: float | None = None
        self.first_frame_s: float | None = None
        self.settled = StopEvent()
        """Set when the camera is open, or could not be opened."""
        self.error: BaseException | None = None
        self._check_began_s: float | None = None
        self._results: SimpleQueue[Frame | CameraError] = SimpleQueue()
        self._abandoned = StopEvent()
        self._thread = Thread(target=self._work, name="camera", daemon=True)
        self._thread.start()

    def get(self, timeout_s: float) -> Frame | CameraError | None:
        """The next frame or what ended the connection; None where nothing came in time."""
        try:
            return self._results.get(timeout=timeout_s)
        except Empty:
            return None

    @property
    def has_results(self) -> bool:
        """Whether `get` would return something at once."""
        return not self._results.empty()

    def unanswered_s(self) -> float:
        """For how long a call of `check` has not returned."""
        began = self._check_began_s
        return 0.0 if began is None else time.monotonic() - began

    def abandon(self) -> None:
        """Stop using it; it closes the camera as soon as the driver returns."""
        self._abandoned.set()

    def has_ended(self, within_s: float = 0) -> bool:
        """Whether its threads have ended, and its camera is closed."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        checker: Thread | None = None
        try:
            with self._connect() as camera:
                self.camera, self.opened_s = camera, time.monotonic()
                self.settled.set()
                if (check := getattr(camera, "check", None)) is not None:
                    name = "camera-check"
                    checker = Thread(target=self._check, args=(check,), name=name, daemon=True)
                    checker.start()
                try:
                    self._read(camera)
                finally:
                    self._abandoned.set()
                    if checker is not None:
                        checker.join()
        except CameraError as error:
            self._results.put(_without_traceback(error))
        except BaseException as error:  # noqa: BLE001  raised by the thread that reads
            self.error = error
        finally:
            self.camera = None
            self.settled.set()

    def _read(self, camera: Camera) -> None:
        while not self._abandoned.is_set():
            if self._results.qsize() >= MAX_WAITING:
                # The camera's own buffers overflow meanwhile; the gap in its ids counts the losses.
                self._abandoned.wait(FULL_WAIT_S)
                continue
            with contextlib.suppress(FrameTimeout):
                frame = camera.read()
                self.first_frame_s = self.first_frame_s or time.monotonic()
                self._results.put(frame)

    def _check(self, check: Callable[[], None]) -> None:
        """Where it does not return, `unanswered_s` grows."""
        while not self._abandoned.wait(CHECK_EVERY_S):
            self._check_began_s = time.monotonic()
            try:
                check()
            except CameraError as error:
                self._results.put(_without_traceback(error))
                return
            self._check_began_s = None


def _without_traceback(error: CameraError) -> CameraError:
    """The traceback would keep the camera object, and the device could not be opened again."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
