"""One connection to a camera on threads of its own, which may hang without hanging anybody else."""

import contextlib
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Event as StopEvent
from threading import Thread

from edge.base.errors import CameraError
from edge.camera import Camera, FrameTimeout
from edge.vision.frame import Frame

PULSE_S = 0.5
FULL = 64
WAIT_S = 0.01

Connect = Callable[[], Camera]


class CameraConnection:
    """Connects, reads and at last closes one camera object, all on its own thread.

    A driver that hangs leaves this object behind, abandoned; it closes its camera when the driver
    returns. Where the camera has `check`, a second thread asks it every half second whether it is
    there. `opened` and `first`, that of its first frame, are moments of the monotonic clock in
    seconds, None before.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.camera: Camera | None = None
        self.began = time.monotonic()
        self.opened: float | None = None
        self.first: float | None = None
        self.settled = StopEvent()
        self.error: BaseException | None = None
        self._asked: float | None = None
        self._told: SimpleQueue[Frame | CameraError] = SimpleQueue()
        self._left = StopEvent()
        self._thread = Thread(target=self._work, name="camera", daemon=True)
        self._thread.start()

    def get(self, timeout_s: float) -> Frame | CameraError | None:
        """The next frame or what ended the connection; None where nothing came in time."""
        try:
            return self._told.get(timeout=timeout_s)
        except Empty:
            return None

    @property
    def waiting(self) -> bool:
        """Whether something is there to be taken."""
        return not self._told.empty()

    def unanswered_s(self) -> float:
        """For how long the camera has owed an answer to a question."""
        asked = self._asked
        return 0.0 if asked is None else time.monotonic() - asked

    def abandon(self) -> None:
        """Nothing more is wanted of it; it gives the camera back as soon as it can."""
        self._left.set()

    def is_gone(self, within_s: float = 0) -> bool:
        """Whether its threads have ended, and its camera is given back."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            with self._connect() as camera:
                self.camera, self.opened = camera, time.monotonic()
                self.settled.set()
                with self._asking(camera):
                    self._read(camera)
        except CameraError as error:
            self._told.put(_bare(error))
        except BaseException as error:  # noqa: BLE001  handed to whoever reads, who raises it
            self.error = error
        finally:
            self.camera = None
            self.settled.set()

    def _read(self, camera: Camera) -> None:
        while not self._left.is_set():
            if self._told.qsize() >= FULL:
                self._left.wait(WAIT_S)  # the camera's own buffers overflow, and its ids tell it
                continue
            with contextlib.suppress(FrameTimeout):
                frame = camera.read()
                self.first = self.first or time.monotonic()
                self._told.put(frame)

    @contextlib.contextmanager
    def _asking(self, camera: object) -> Iterator[None]:
        check = getattr(camera, "check", None)
        if check is None:
            yield
            return
        thread = Thread(target=self._ask, args=(check,), name="camera-pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._left.set()
            thread.join()

    def _ask(self, check: Callable[[], None]) -> None:
        """An answer that does not come is seen by `unanswered_s`."""
        while not self._left.wait(PULSE_S):
            self._asked = time.monotonic()
            try:
                check()
            except CameraError as error:
                self._told.put(_bare(error))
                return
            self._asked = None


def _bare(error: CameraError) -> CameraError:
    """Without the traceback, which holds the camera object: it could never be opened again."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
