"""One behaviour for all live cameras: whatever happens to one is told, and it comes back by itself.

A read never hangs: the driver works on a thread of its own (edge.camera.connection), which is left
behind with its camera object where it does not return, and a new object takes over.
"""

import logging
import time
from collections.abc import Iterator
from typing import NoReturn

from edge.base.errors import CameraError
from edge.camera import CameraNotice, EndOfStream, FrameTimeout, ReportsOutages, SettingsRefused
from edge.camera.connection import CameraConnection, Connect
from edge.camera.frame_checks import COUNTED, FrameChecks
from edge.camera.frame_ids import FrameIds
from edge.camera.trigger_matching import Trigger, TriggerMatching
from edge.events.event import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

SLICE_S = 0.1
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0
ANSWER_S = 0.3  # asked every half second, and looked at ten times a second: told within 0.9 s
OPEN_S, FIRST_FRAME_S, LONGEST_FIRST_FRAME_S = 20.0, 3.0, 12.0
CLOSE_S = 2.0
MOST_LEFT = 8
PICTURELESS = {Code.TRIGGER_LOST, Code.OVERRUN, Code.CAMERA_LOST}
"""Of a trigger that no frame came for; edge.camera.trigger_matching makes these."""


class ReconnectingCamera(ReportsOutages):
    """A live camera that is watched, and connected again for ever.

    `deadline_ms` is the longest silence of a free-running camera; None where silence is no fault,
    as under a trigger. `counters` are written by the reading thread alone. The first connection
    must succeed, so that a wrong address is told at the start: raises CameraError where not.
    `first_frame_s` is how long the first frame of a later connection may take, or the deadline if
    that is longer; twice as long after each time that none came, and after one that took its time.
    """

    live = True

    def __init__(
        self,
        name: str,
        connect: Connect,
        deadline_ms: int | None,
        ids: FrameIds | None = None,
        ties: TriggerMatching | None = None,
        first_frame_s: float = FIRST_FRAME_S,
    ) -> None:
        self._name, self._connect, self._ties = name, connect, ties
        self._deadline_s = None if deadline_ms is None else deadline_ms / 1000
        self._first_frame_s = max(first_frame_s, self._deadline_s or 0)
        self._patience_s = max(FIRST_FRAME_S, self._first_frame_s)
        names = (*COUNTED, "outages", "reconnected", "triggers_dropped")
        self.counters: dict[str, int] = dict.fromkeys(names, 0)
        self._checks = FrameChecks(self.counters, ids)
        self._left: list[CameraConnection] = []
        self._heard = 0.0
        self._down: float | None = None  # since when
        self._told: set[Code] = set()  # of this outage
        self._wait_s, self._next_try = FIRST_WAIT_S, 0.0
        self._held: Frame | None = None
        self._reader: CameraConnection | None = CameraConnection(connect)
        self._first()

    def _first(self) -> None:
        assert self._reader is not None
        if not self._reader.settled.wait(OPEN_S):
            raise CameraError(f"{self._name} cannot be opened within {OPEN_S:.0f} s: check it")
        if self._reader.opened is None:
            if self._reader.error is not None:
                raise self._reader.error
            told = self._reader.get(0)
            raise told if isinstance(told, CameraError) else CameraError(f"{self._name}: no camera")

    def read(self) -> Frame:
        """The next frame; waits for a tenth of a second.

        Raises FrameTimeout without one, and Trouble for what is to be told.
        """
        if self._ties is not None:
            self.counters["triggers_dropped"] = self._ties.dropped
        if self._held is not None:
            held, self._held = self._held, None
            return held
        if self._reader is None:
            return self._while_down()
        if self._reader.opened is None and (ended := self._ended()) is not None:
            return ended  # connecting takes its time, the part does not wait
        came = self._reader.get(SLICE_S)
        if self._reader.error is not None:
            raise self._reader.error
        if isinstance(came, Frame):
            return self._frame(came)
        if isinstance(came, EndOfStream):
            came = CameraError(f"the stream has ended ({came})")
        if came is not None:
            refused = isinstance(came, SettingsRefused)
            self._fail(Code.CAMERA_SETTINGS if refused else Code.CAMERA_LOST, str(came))
        self._look(self._reader)
        raise FrameTimeout(f"no frame of {self._name} yet")

    def about(self) -> dict[str, str | float]:
        camera = self._reader.camera if self._reader else None
        return camera.about() if camera else {"source": self._name}

    def trigger(self, trigger: Trigger) -> None:
        """Take a picture for this part; without a camera its event is NO_VERDICT.

        Raises CameraError where the camera is not triggered by the program.
        """
        if self._ties is None:
            raise CameraError(f"{self._name} is not triggered by the program: add trigger=software")
        reader = self._reader  # the reading thread may leave it behind at any moment
        camera = reader.camera if reader and self._down is None else None
        give = getattr(camera, "trigger", None)
        if give is None:
            self._ties.ask(trigger, connected=False)
        else:
            give(trigger)

    @property
    def takes_triggers(self) -> bool:
        """Whether the program triggers it."""
        return self._ties is not None

    def too_late(self, trigger: Trigger) -> None:
        """The part has passed: its event is NO_VERDICT, and no picture is taken."""
        if self._ties is not None:
            self._ties.too_late(trigger)

    def give_up(self, trigger: Trigger) -> None:
        """Its command failed: its event is NO_VERDICT, whether or not it was under way."""
        if self._ties is not None and not self._ties.give_up(Code.CAMERA_LOST, trigger):
            self._ties.too_late(trigger)

    def _ended(self) -> Frame | None:
        """A trigger that ended without a picture."""
        return self._ties.ended() if self._ties is not None else None

    def unfinished(self) -> Iterator[Frame]:
        """After the last read: what is still to be told; triggers under way end as STOPPED."""
        if self._held is not None:
            yield self._held
        while self._reader is not None and isinstance(came := self._reader.get(0), Frame):
            yield came if came.code in PICTURELESS else self._checks(came, self._heard)
        if self._ties is not None:
            self._ties.stop()
            yield from iter(self._ties.ended, None)

    def _while_down(self) -> Frame:
        """Connect again when it is time; triggers of this time end without a picture."""
        if (ended := self._ended()) is not None:
            return ended
        self._left = [reader for reader in self._left if not reader.is_gone()]
        if len(self._left) >= MOST_LEFT:
            self._tell(
                Code.CAMERA_HUNG, f"{MOST_LEFT} reads hang in its driver: restart the program"
            )
        elif time.monotonic() >= self._next_try:
            self._reader = CameraConnection(self._connect)
            raise FrameTimeout(f"{self._name} is being connected")
        time.sleep(min(SLICE_S, max(0.01, self._next_try - time.monotonic())))
        raise FrameTimeout(f"{self._name} is away")

    def _look(self, reader: CameraConnection) -> None:
        """Whether the silence has lasted too long."""
        now = time.monotonic()
        if reader.opened is None:
            if now - reader.began > OPEN_S:
                self._fail(Code.CAMERA_HUNG, f"it cannot be opened within {OPEN_S:.0f} s")
            return
        if min(reader.unanswered_s(), now - self._heard) > ANSWER_S:
            self._fail(Code.CAMERA_LOST, "it does not answer: check its cable and power")
        if self._deadline_s is None:
            if self._down is not None:
                self._back()
            return
        first = self._heard < reader.opened
        silent = now - max(self._heard, reader.opened)
        if silent > (self._patience_s if first else self._deadline_s):
            if first:
                self._be_patient(self._patience_s)
            answers = reader.unanswered_s() < SLICE_S
            self._fail(
                Code.CAMERA_SILENT if answers else Code.CAMERA_LOST,
                f"no frame for {silent * 1000:.0f} ms: check its cable, its trigger and its rate",
            )

    def _frame(self, frame: Frame) -> Frame:
        """Counted and checked; the first good one of a new connection ends the outage."""
        self._heard = time.monotonic()
        if frame.code in PICTURELESS:
            return frame
        if self._reader and self._reader.opened and self._reader.first:
            self._be_patient(self._reader.first - self._reader.opened)
        checked = self._checks(frame, self._heard)
        if checked.code is Code.NONE:
            if self._down is not None:
                self._held = checked
                self._back()
        elif self._stands_still():
            self._held = checked
            self._fail(Code.STALE, "it repeats one frame: the camera or its driver stands still")
        return checked

    def _stands_still(self) -> bool:
        """Whether it repeats itself for too long; never while frames wait, which would be lost."""
        if self._reader is None or self._reader.waiting:
            return False
        since = self._reader.opened or 0
        return self._checks.repeats_for(self._heard, since) > (self._deadline_s or 1.0)

    def _be_patient(self, took_s: float) -> None:
        """The next connection's first frame may take twice as long as this one did, or has had."""
        longest = max(LONGEST_FIRST_FRAME_S, self._first_frame_s)
        self._patience_s = min(max(self._first_frame_s, 2 * took_s), longest)

    def _fail(self, code: Code, why: str) -> NoReturn:
        """Leave this connection behind and try another; tell what has not been told yet."""
        if self._reader is not None:
            self._reader.abandon()
            self._left.append(self._reader)
            self._reader = None
        if self._ties is not None:
            self._ties.give_up(Code.CAMERA_LOST)
            self._ties.resync = False  # the next connection begins anew
        self._next_try = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._tell(code, why)
        raise FrameTimeout(f"{self._name} is away")

    def _tell(self, code: Code, why: str) -> None:
        """Raise what is new: the beginning of an outage, or another reason for it."""
        if self._down is None:
            self.counters["outages"] += 1
            self._down = time.monotonic()
        elif code in self._told or code is Code.CAMERA_LOST:
            return
        self._told.add(code)
        raise CameraNotice(code, f"{self._name}: {why}; it is tried again until it is back")

    def _back(self) -> NoReturn:
        assert self._down is not None
        took = time.monotonic() - self._down
        self._down, self._wait_s = None, FIRST_WAIT_S
        self._told.clear()
        self.counters["reconnected"] += 1
        raise CameraNotice(Code.CAMERA_BACK, f"{self._name} is back after {took:.1f} s")

    def close(self) -> None:
        """Give the camera back, where its driver lets us within two seconds."""
        if self._reader is not None:
            self._reader.abandon()
            self._reader.is_gone(CLOSE_S)
