"""One behaviour for all live cameras: each outage is reported, and the camera is reconnected.

A read never hangs: the driver works on a thread of its own (edge.camera.connection), which is
abandoned with its camera object where it does not return, and a new object replaces it.
"""

import time
from collections.abc import Iterator
from typing import NoReturn

from edge.base.errors import CameraError
from edge.camera import EndOfStream, FrameTimeout, ReportsOutages, SettingsRefused
from edge.camera.connection import CameraConnection, Connect
from edge.camera.frame_checks import COUNTERS, FrameChecks
from edge.camera.frame_ids import FrameIds
from edge.camera.outage import Outages
from edge.camera.trigger_matching import Trigger, TriggerMatcher
from edge.events.codes import Code
from edge.vision.frame import Frame

POLL_S = 0.1
ANSWER_S = 0.3  # checked every half second, and read ten times a second: reported within 0.9 s
OPEN_S, FIRST_FRAME_S, MAX_FIRST_FRAME_S = 20.0, 3.0, 12.0
CLOSE_S = 2.0
MAX_HUNG = 8
NEVER_CAME = {Code.TRIGGER_LOST, Code.OVERRUN, Code.CAMERA_LOST}
"""Codes of a trigger without a frame; edge.camera.trigger_matching makes these."""


class ReconnectingCamera(ReportsOutages):
    """A live camera that is supervised, and reconnected for ever.

    `deadline_ms` is the longest time without a frame of a free-running camera; None where that is
    no fault, as under a trigger. `counters` are written by the reading thread alone. Raises
    CameraError where the first connection fails, so that a wrong address is reported at the start.
    `first_frame_s` is how long the first frame of a later connection may take, or the deadline if
    that is longer. After a connection whose first frame never came, or came late, the next one is
    allowed twice that time.
    """

    live = True

    def __init__(
        self,
        name: str,
        connect: Connect,
        deadline_ms: int | None,
        ids: FrameIds | None = None,
        matcher: TriggerMatcher | None = None,
        first_frame_s: float = FIRST_FRAME_S,
    ) -> None:
        self._name, self._connect, self.matcher = name, connect, matcher
        self._deadline_s = None if deadline_ms is None else deadline_ms / 1000
        self._first_frame_s = max(first_frame_s, self._deadline_s or 0)
        self._first_frame_allowed_s = max(FIRST_FRAME_S, self._first_frame_s)
        names = (*COUNTERS, "outages", "reconnected", "triggers_dropped")
        self.counters: dict[str, int] = dict.fromkeys(names, 0)
        self._checks = FrameChecks(self.counters, ids)
        self._outages = Outages(name, self.counters)
        self._abandoned: list[CameraConnection] = []
        self._last_frame_s = 0.0
        self._held: Frame | None = None  # to be returned after the notice that it caused
        self._connection: CameraConnection | None = CameraConnection(connect)
        self._wait_for_first(self._connection)

    def _wait_for_first(self, first: CameraConnection) -> None:
        if not first.settled.wait(OPEN_S):
            raise CameraError(f"{self._name} cannot be opened within {OPEN_S:.0f} s: check it")
        if first.error is not None:
            raise first.error
        if first.opened_s is None and isinstance(failure := first.get(0), CameraError):
            raise failure

    def read(self) -> Frame:
        """The next frame; waits for a tenth of a second.

        Raises FrameTimeout without one, and CameraNotice for what is to be reported.
        """
        if self.matcher is not None:
            self.counters["triggers_dropped"] = self.matcher.dropped
        if self._held is not None:
            held, self._held = self._held, None
            return held
        connection = self._connection
        # While the camera is being connected, a trigger ends at once: its part passes.
        if connection is None or connection.opened_s is None:
            if self.matcher is not None and (ended := self.matcher.next_ended()) is not None:
                return ended
            if connection is None:
                self._reconnect()
        return self._receive(connection)

    def _receive(self, connection: CameraConnection) -> Frame:
        result = connection.get(POLL_S)
        if connection.error is not None:
            raise connection.error
        if isinstance(result, Frame):
            return self._accept(result, connection)
        if isinstance(result, EndOfStream):
            result = CameraError(f"the stream has ended ({result})")
        if result is not None:
            refused = isinstance(result, SettingsRefused)
            self._fail(Code.CAMERA_SETTINGS if refused else Code.CAMERA_LOST, str(result))
        self._check_silence(connection)
        raise FrameTimeout(f"no frame of {self._name} yet")

    def about(self) -> dict[str, str | float]:
        camera = self._connection.camera if self._connection else None
        return camera.about() if camera else {"source": self._name}

    def trigger(self, trigger: Trigger) -> None:
        """Take a picture of this part; without a camera its event is NO_VERDICT.

        Raises CameraError where the camera is not triggered by the program.
        """
        if self.matcher is None:
            raise CameraError(f"{self._name} is not triggered by the program: add trigger=software")
        connection = self._connection  # the reading thread may replace it at any moment
        camera = connection.camera if connection and not self._outages.active else None
        send = getattr(camera, "trigger", None)
        if send is None:
            self.matcher.begin(trigger, connected=False)
        else:
            send(trigger)

    def unfinished(self) -> Iterator[Frame]:
        """After the last read: frames not returned yet; triggers in progress end as STOPPED."""
        if self._held is not None:
            yield self._held
        while self._connection is not None and isinstance(came := self._connection.get(0), Frame):
            yield came if came.code in NEVER_CAME else self._checks(came, self._last_frame_s)
        if self.matcher is not None:
            self.matcher.stop()
            yield from iter(self.matcher.next_ended, None)

    def _reconnect(self) -> NoReturn:
        """Connect again when it is time."""
        self._abandoned = [old for old in self._abandoned if not old.has_ended()]
        if len(self._abandoned) >= MAX_HUNG:
            self._outages.report(
                Code.CAMERA_HUNG, f"{MAX_HUNG} reads hang in its driver: restart the program"
            )
        elif self._outages.next_try_in_s() <= 0:
            self._connection = CameraConnection(self._connect)
            raise FrameTimeout(f"{self._name} is being connected")
        time.sleep(min(POLL_S, max(0.01, self._outages.next_try_in_s())))
        raise FrameTimeout(f"{self._name} is disconnected")

    def _check_silence(self, connection: CameraConnection) -> None:
        """Fail where no frame or no answer has come for too long."""
        now = time.monotonic()
        if connection.opened_s is None:
            if now - connection.began_s > OPEN_S:
                self._fail(Code.CAMERA_HUNG, f"it cannot be opened within {OPEN_S:.0f} s")
            return
        if min(connection.unanswered_s(), now - self._last_frame_s) > ANSWER_S:
            self._fail(Code.CAMERA_LOST, "it does not answer: check its cable and power")
        if self._deadline_s is None:
            self._outages.end()
            return
        is_first = self._last_frame_s < connection.opened_s
        silent_s = now - max(self._last_frame_s, connection.opened_s)
        if silent_s > (self._first_frame_allowed_s if is_first else self._deadline_s):
            if is_first:
                self._allow_twice(self._first_frame_allowed_s)
            answers = connection.unanswered_s() < POLL_S
            self._fail(
                Code.CAMERA_SILENT if answers else Code.CAMERA_LOST,
                f"no frame for {silent_s * 1000:.0f} ms: check its cable, its trigger and its rate",
            )

    def _accept(self, frame: Frame, connection: CameraConnection) -> Frame:
        """Check and count it; the first good one of a new connection ends the outage."""
        self._last_frame_s = time.monotonic()
        if frame.code in NEVER_CAME:
            return frame
        if connection.opened_s and connection.first_frame_s:
            self._allow_twice(connection.first_frame_s - connection.opened_s)
        checked = self._checks(frame, self._last_frame_s)
        if checked.code is Code.NONE and self._outages.active:
            self._held = checked
            self._outages.end()
        elif checked.code is not Code.NONE and self._repeats_too_long(connection):
            self._held = checked
            self._fail(Code.STALE, "it repeats one frame: its driver or encoder has stopped")
        return checked

    def _repeats_too_long(self, connection: CameraConnection) -> bool:
        """Never while frames wait, which would be lost."""
        if connection.has_results:
            return False
        repeating_s = self._checks.repeating_for_s(self._last_frame_s, connection.opened_s or 0)
        return repeating_s > (self._deadline_s or 1.0)

    def _allow_twice(self, took_s: float) -> None:
        """The next connection's first frame may take twice as long as this one's took."""
        longest = max(MAX_FIRST_FRAME_S, self._first_frame_s)
        self._first_frame_allowed_s = min(max(self._first_frame_s, 2 * took_s), longest)

    def _fail(self, code: Code, reason: str) -> NoReturn:
        """Abandon this connection, and report what is new."""
        if self._connection is not None:
            self._connection.abandon()
            self._abandoned.append(self._connection)
            self._connection = None
        if self.matcher is not None:
            self.matcher.fail(Code.CAMERA_LOST)
            self.matcher.needs_restart = False  # the next connection starts the camera anyway
        self._outages.back_off()
        self._outages.report(code, reason)
        raise FrameTimeout(f"{self._name} is disconnected")

    def close(self) -> None:
        """Close the camera, if its driver returns within two seconds."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection.has_ended(CLOSE_S)
