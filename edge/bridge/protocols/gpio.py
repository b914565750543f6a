"""Digital outputs of a machine without a PLC: reject, ok, ready and heartbeat (libgpiod).

Reject is active unless an OK part is at the gate; `ok` is its opposite. One thread reads positions,
decides and drives: if it hangs, the heartbeat stops. What stands in the lines when the process is
killed is described in docs/plc/gpio.md.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NamedTuple

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.pass_queue import PassQueue
from edge.bridge.protocols.gpio_lines import Name, Pins
from edge.bridge.protocols.gpio_positions import Positions
from edge.bridge.signals import Inputs, Missed
from edge.events.event import Inspection

log = logging.getLogger(__name__)

CYCLE_S = 0.005
HEARTBEAT_S = 0.1  # from edge to edge
TEST_S = 1.0
HELD_UP_S = 0.02
PRIORITY = 10  # of the kernel's real-time policies, whose highest is 99


class Judged(NamedTuple):
    """A part in its turn; `ok` is an OK that came in time while nothing was wrong."""

    inspection: Inspection
    ok: bool


class Outputs:
    """Drives the lines of a machine; `in_time` and `left_out` are called by the feed's thread."""

    def __init__(self, pins: Pins, queue: PassQueue, positions: Positions, settle_s: float) -> None:
        self._pins, self._queue, self._positions = pins, queue, positions
        self._settle_s = settle_s
        self._judged: SimpleQueue[Judged] = SimpleQueue()
        self._come = threading.Event()
        self._last_picture: float | None = None
        self._stands_still = False
        self._cycle_s: float | None = None  # when the last cycle was
        self._longest_s = 0.0  # without a cycle, as far as it was reported
        self._said_s: dict[Name, float] = {}  # since when each output says what it says
        self.stuck = ""
        """Which line does not say what it was set to; the bridge never trusts it again."""

    def in_time(self, inspection: Inspection) -> None:
        """A verdict that may be used."""
        self._take(Judged(inspection, inspection.verdict == "OK"))

    def left_out(self, inspection: Inspection) -> None:
        """A part that has no verdict that may be used."""
        self._take(Judged(inspection, ok=False))

    def _take(self, judged: Judged) -> None:
        self._judged.put(judged)
        self._come.set()

    def check_start(self) -> None:
        """Raises BridgeError for a line that does not say what is safe."""
        time.sleep(self._settle_s)
        if stuck := _differing(self._pins):
            raise BridgeError(f"{stuck}: check its wiring and its polarity")

    def run(self, feed: Feed, stopped: Callable[[], bool]) -> None:
        """Drive the lines until `stopped()`, and make them safe at once, whatever ends it."""
        try:
            while not stopped():
                wait_s = self.cycle(feed)
                if not self._positions.wait(wait_s):
                    self._come.wait(wait_s)
                    self._come.clear()
        finally:
            self._pins.make_safe()

    def cycle(self, feed: Feed) -> float:
        """Take the parts that have come, and say what holds now; seconds until the next cycle."""
        judged = self._taken()  # before the counts are read: those of their triggers are there then
        self._positions.now(time.monotonic())
        for part in judged:
            self._add(part, feed)
        now = time.monotonic()
        position = self._positions.now(now)
        if self._positions.lost:
            self._queue.reject_all()
            self._positions.lost = False
        self._watch_cycle(now)
        self._check(now, feed)
        healthy = not self.stuck and not self._stands_still
        ready = healthy and feed.signals().ready
        due = position is not None and self._queue.is_open(position, now)
        self._say(ready=ready, passing=ready and due, now=now)
        if position is None:
            return CYCLE_S
        return min(CYCLE_S, self._positions.seconds_to(self._queue.until_change(position)))

    def _taken(self) -> list[Judged]:
        return [self._judged.get_nowait() for _ in range(self._judged.qsize())]

    def _add(self, part: Judged, feed: Feed) -> None:
        """Queue a part; one that has no position may be anywhere, so all are rejected."""
        age_s, now = feed.age_s(part.inspection), time.monotonic()
        picture = self._positions.of_picture(part.inspection, now - age_s)
        position = self._positions.now(now)
        if self._positions.lost or picture is None or age_s == float("inf"):
            self._queue.reject_all()
            self._positions.lost = False
        if picture is None or age_s == float("inf"):
            return
        if self._positions.counted:
            self._watch_counts(picture)
        late = part.ok and (position is None or self._queue.start_of(picture) < position)
        if late:
            feed.report([Missed(part.inspection, "expired", age_s)])
        if not self._queue.add(picture, ok=part.ok and not late and not self._stands_still):
            log.warning("over a thousand parts are on their way: all of them are rejected")

    def _watch_cycle(self, now: float) -> None:
        """Report a gate that stood open while the bridge was held up; nothing can undo that."""
        held_up_s = now - self._cycle_s if self._cycle_s is not None else 0.0
        self._cycle_s = now
        said = self._pins.said
        is_open = said.get("ok", not said.get("reject", True))
        if is_open and held_up_s > max(HELD_UP_S, self._longest_s):
            self._longest_s = held_up_s
            log.error("the bridge was held up for %.0f ms while the gate was open, and a bad part "
                      "may have passed: see docs/plc/gpio.md", 1000 * held_up_s)  # fmt: skip

    def _watch_counts(self, picture: float) -> None:
        """Two parts at one count: the encoder stands still though the parts move."""
        before, self._last_picture = self._last_picture, picture
        stands_still = before is not None and picture <= before
        if stands_still:
            self._queue.reject_all()
        if stands_still and not self._stands_still:
            log.warning("the encoder does not count, but parts come: check its wiring; all parts "
                        "are rejected")  # fmt: skip
        self._stands_still = stands_still

    def _check(self, now: float, feed: Feed) -> None:
        """Compare each line with what it was set to, once it has had the time for it."""
        late = [name for name, since in self._said_s.items() if now - since < self._settle_s]
        stuck = _differing(self._pins, *late)
        if stuck and not self.stuck:
            log.error("%s: all parts are rejected until the bridge is started again", stuck)
            feed.plc(Inputs(halted=True))
            self.stuck = stuck

    def _say(self, *, ready: bool, passing: bool, now: float) -> None:
        """Ready drops before anything else changes, and comes after all else."""
        before = dict(self._pins.said)
        if not ready:
            self._pins.say({"ready": False})
        beat = int(now / HEARTBEAT_S) % 2 == 1 and not self.stuck
        self._pins.say({"reject": not passing, "ok": passing, "heartbeat": beat})
        self._pins.say({"ready": ready})
        for name, value in self._pins.said.items():
            if value is not before[name]:
                self._said_s[name] = now


def _differing(pins: Pins, *besides: Name) -> str:
    """Which line does not say what its output was set to; empty where all do."""
    words = {True: "active", False: "inactive"}
    for name, line, found in pins.read():
        if name not in besides and found is not pins.said[name]:
            return f"line {line} of {name} is {words[found]}, but was set {words[not found]}"
    return ""


@contextmanager
def priority() -> Iterator[None]:
    """This thread, and those that it starts, run before all ordinary programs."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        log.warning("no real-time priority (%s), so the gate is late while the computer is busy: "
                    "permit it, as with LimitRTPRIO=%d", error.strerror, PRIORITY)  # fmt: skip
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def try_outputs(pins: Pins, settle_s: float, stop: threading.Event) -> None:
    """Switch each output in turn, and back. Raises BridgeError for one that does not follow."""
    for name, safe in pins.said.copy().items():
        for value, seconds in ((not safe, TEST_S), (safe, settle_s)):
            pins.say({name: value})
            if stop.wait(seconds):
                return
            if stuck := _differing(pins):
                raise BridgeError(f"{stuck}: check its wiring and its polarity")
        log.info("%s follows", name)
