"""From the line's events to the gate: without gaps, in time, and with the line's silence noticed.

A thread reads the events and passes each verdict to the gate; the protocol's thread reads the
signals and passes on what the PLC wrote. A lock, held for microseconds, protects the gate.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.bridge.gate import Gate
from edge.bridge.signals import Inputs, LineState, Missed, Signals, Trouble
from edge.events.clock import boot_id
from edge.events.event import Event, Inspection, Status
from edge.events.keys import Credentials
from edge.events.notices import Notice, Notify, log_once
from edge.events.subscriber import events

log = logging.getLogger(__name__)

NEWEST = 500  # so many missed events are requested; older ones are too old for any gate
PERIODS = 2  # after so many missing heartbeats the line is silent
FIRST_PERIOD_S = 0.5
SKEW_S = 0.05  # a station's clock may be so far ahead


Source = Callable[[Notify, Callable[[], bool]], Iterator[Event]]
"""(callback for heartbeats and gaps, whether to stop) -> events from now on."""


def station(endpoint: str, replay: str | None, credentials: Credentials | None) -> Source:
    """The newest events of a station."""

    def source(notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        return events(
            endpoint, replay=replay, credentials=credentials, notify=notify, stopped=stopped,
            newest=NEWEST,
        )  # fmt: skip

    return source


class BridgeError(DraemError):
    """A bridge cannot serve its PLC."""


def check_station(found: str, wanted: str) -> None:
    """Raises BridgeError for events of another station: its verdicts are about other parts."""
    if found != wanted:
        raise BridgeError(
            f"these are the events of '{found}', not of '{wanted}': correct --station or --endpoint"
        )


class Feed(Closeable):
    """Keeps a gate fed from a source of events until it is closed.

    With `name` it dies of the events of any other station.
    `in_time` is called for each verdict that came before its deadline, in order, once, and while
    there is no trouble; `left_out` for each other part, also in its turn; `missed` for each result
    that the gate could not use. None may block.
    """

    def __init__(
        self,
        gate: Gate,
        source: Source,
        in_time: Callable[[Inspection], None] = lambda inspection: None,
        missed: Callable[[Missed], None] = lambda missed: None,
        name: str | None = None,
        left_out: Callable[[Inspection], None] = lambda inspection: None,
    ) -> None:
        self._missed, self._name = missed, name
        self._in_time, self._left_out = in_time, left_out
        self._gate = gate
        self._lock = threading.Lock()
        self._boot_id = boot_id()
        self._heard: float | None = None
        self._state: LineState = "starting"  # what the newest heartbeat says
        self._period_s = FIRST_PERIOD_S
        self._stop = threading.Event()
        self._log = log_once()
        self._unanswered = self._clock_ahead = False
        self._product, self._seq = "", 0  # which product runs, and the newest event that says so
        self.died: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(source,), name="events", daemon=True
        )
        self._thread.start()

    def signals(self) -> Signals:
        """What the PLC reads now."""
        with self._lock:
            signals = self._look(time.monotonic())
            running = self._product if signals.online else ""
            missed = self._gate.missed()
        self.report(missed)
        return replace(signals, running=running)

    def running(self) -> str:
        """The name of the product that the line judges now; empty where it is silent."""
        return self.signals().running

    def report(self, missed: list[Missed]) -> None:
        """Pass on results that could not be used, also those that a protocol could not use.

        Called without the lock, so that nothing waits for it.
        """
        for one in missed:
            self._missed(one)

    def _look(self, now: float) -> Signals:
        """Pass on how the line is at `now`, then read the signals; the lock is held."""
        silent = self._heard is not None and now - self._heard > PERIODS * self._period_s
        if self.died or silent:
            self._gate.line("stale")
        elif self._heard is not None and self._unanswered:
            self._gate.line("unanswered")
        else:
            self._gate.line(self._state)
        return self._gate.signals(now)

    def plc(self, inputs: Inputs) -> None:
        """What the PLC has written."""
        with self._lock:
            self._gate.plc(inputs, time.monotonic())

    def plc_age_s(self) -> float | None:
        """Seconds since the PLC's heartbeat changed; None before its first change."""
        with self._lock:
            return self._gate.plc_age_s(time.monotonic())

    def raise_if_died(self) -> None:
        """Raise what has ended the reading of events, if anything has."""
        if self.died is not None:
            raise self.died

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self, source: Source) -> None:
        try:
            for event in source(self._notice, self._stop.is_set):
                self._check(event.header.station)
                self._unanswered = False  # whatever its kind: the log has answered
                if isinstance(event.header, Inspection | Status):
                    self._runs(event.header.product, event.header.seq)
                if isinstance(event.header, Inspection):
                    self._result(event.header)
        except BaseException as error:  # noqa: BLE001 - raised again by `raise_if_died`
            self.died = error  # until then nothing is offered any more

    def _check(self, station: str) -> None:
        if self._name is not None:
            check_station(station, self._name)

    def _runs(self, product: str, seq: int) -> None:
        """The product that an event or a heartbeat names, unless a newer one was received."""
        with self._lock:
            if seq >= self._seq:
                self._product, self._seq = product, seq

    def _result(self, inspection: Inspection) -> None:
        now = time.monotonic()  # before its age, so that a delay in between shortens the deadline
        age_s = self.age_s(inspection)
        with self._lock:
            taken = self._gate.result(inspection, age_s, now)
            alive = self._look(time.monotonic()).trouble is Trouble.NONE
            missed = self._gate.missed()
        self.report(missed)
        if taken == "offered" and alive:
            self._in_time(inspection)
        elif taken != "known":
            self._left_out(inspection)

    def age_s(self, inspection: Inspection) -> float:
        """Seconds since the trigger; infinite if the station's clock is ahead."""
        if inspection.boot_id == self._boot_id:
            return (time.monotonic_ns() - inspection.captured_ns) / 1e9
        captured = datetime.fromisoformat(inspection.captured_at)
        age = (datetime.now(UTC) - captured).total_seconds()
        ahead, before = age < -SKEW_S, self._clock_ahead
        self._clock_ahead = ahead
        if ahead and not before:
            log.warning("the station's clock is %.1f s ahead of this one: synchronise both", -age)
        return float("inf") if ahead else max(age, 0.0)

    def _notice(self, notice: Notice) -> None:
        if notice.heartbeat is not None:
            self._check(notice.heartbeat.station)
            self._runs(notice.heartbeat.product, notice.heartbeat.head)
        with self._lock:
            if notice.heartbeat is not None:
                self._heard = time.monotonic()
                self._period_s = notice.heartbeat.every_ms / 1000
                self._state = notice.heartbeat.state
            elif notice.kind in ("unanswered", "answered"):
                self._unanswered = notice.kind == "unanswered"
            elif notice.kind in ("gone", "skipped"):
                self._gate.gap()
            elif notice.kind == "new-stream":
                self._gate.begin_anew()
                self._seq = 0
        self._log(notice)
