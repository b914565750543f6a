"""A clock, a source of events and a model of the gate, for the state machine of the gate.

The model says from the history alone what a PLC must read; it shares no code with the gate.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from edge.bridge.signals import Inputs, Trouble
from edge.events.codes import Code
from edge.events.event import AnyHeader, CodeName, Event, Heartbeat, Verdict
from edge.events.notices import Notice, NoticeKind, Notify
from tests.support.bridge.events import inspection

DEADLINE_S, BUFFER, PERIOD_S = 1.0, 3, 0.5
LINE = {"running": Trouble.NONE, "paused": Trouble.LINE_PAUSED, "fault": Trouble.LINE_FAULT}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """In the place of the module `time` and the class `datetime`; moved by the test."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic(self) -> float:
        return self.s

    def monotonic_ns(self) -> int:
        return round(self.s * 1e9)

    def sleep(self, seconds: float) -> None:
        """Time passes when the test says so."""

    def now(self, zone: object) -> datetime:
        return BEGAN + timedelta(seconds=self.s)

    def fromisoformat(self, text: str) -> datetime:
        return datetime.fromisoformat(text)


class Threads:
    """In the place of the module `threading`: the feed's thread runs when the test says so.

    So a run of the state machine waits for no other thread, and is the same each time.
    """

    Lock, Event = threading.Lock, threading.Event

    def Thread(self, target: Callable[..., None], args: Sequence[object], **_: object) -> "Threads":
        self._run = partial(target, *args)
        return self

    def start(self) -> None:
        """It waits."""

    def join(self, timeout: float) -> None:
        """It runs no more."""

    def run(self) -> None:
        """Until its source has nothing more."""
        self._run()


class Script:
    """A source of events; `deliver` returns when the feed has dealt with what it was given."""

    def __init__(self, threads: Threads) -> None:
        self._steps = deque[Notice | AnyHeader]()
        self._threads = threads

    def source(self, notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        while self._steps:
            step = self._steps.popleft()
            if isinstance(step, Notice):
                notify(step)
            else:
                yield Event(step)

    def deliver(self, step: Notice | AnyHeader) -> None:
        self._steps.append(step)
        self._threads.run()

    def notice(self, kind: NoticeKind) -> None:
        self.deliver(Notice(kind, ""))

    def beat(self, state: str, product: str, head: int) -> None:
        """A heartbeat of the line."""
        stamp = inspection(1, product=product).model_dump(include=set(Heartbeat.model_fields))
        values = {
            "kind": "heartbeat", "head": head, "state": state, "code": CodeName.of(Code.NONE),
            "every_ms": round(1000 * PERIOD_S),
        }  # fmt: skip
        self.deliver(Notice("heartbeat", "", Heartbeat.model_validate(stamp | values)))

    def part(
        self, number: int, verdict: Verdict, product: str, captured_s: float, machine: str
    ) -> None:
        """A result; `machine` is the boot id of the station."""
        at = (BEGAN + timedelta(seconds=captured_s)).isoformat()
        values = {"boot_id": machine, "captured_at": at, "captured_ns": round(captured_s * 1e9)}
        self.deliver(inspection(number, verdict, product=product, **values))


@dataclass
class Part:
    """A result as the gate received it: until when it may be used."""

    number: int
    verdict: str
    product: str
    deadline: float


@dataclass
class Model:
    """What a bridge has received since it was started, and what follows from it."""

    mode: str
    silent_s: float
    newest: int = 0
    parts: dict[int, Part] = field(default_factory=dict)
    waiting: list[Part] = field(default_factory=list)
    missed: list[tuple[int, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    sent_before: int = 0  # of other logs
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("inspected", "ok", "ng", "no_verdict", "expired", "overruns"), 0
        )
    )
    of_part: Trouble = Trouble.NONE
    state: str = ""
    heard: float | None = None
    unanswered: bool = False  # the log was asked for events and has not answered
    inputs: Inputs | None = None
    moved: float | None = None  # when the PLC's heartbeat last changed
    old_ack: int = 0  # what the PLC acknowledges of another log
    product: str = ""
    seq: int = 0

    def line(self, now: float) -> Trouble:
        if self.heard is None:
            return Trouble.STARTING
        if now - self.heard > 2 * PERIOD_S:
            return Trouble.LINE_SILENT
        return Trouble.LOG_SILENT if self.unanswered else LINE[self.state]

    def plc_alive(self, now: float) -> bool:
        return not self.silent_s or (self.moved is not None and now - self.moved <= self.silent_s)

    def cause(self, now: float) -> Trouble:
        """The trouble that has nothing to do with a part."""
        if line := self.line(now):
            return line
        if self.inputs and self.inputs.halted:
            return Trouble.HALTED
        return Trouble.NONE if self.plc_alive(now) else Trouble.PLC_SILENT

    def acknowledged(self) -> int:
        written = self.inputs.acknowledged if self.inputs else 0
        return 0 if written == self.old_ack else written

    def hold(self) -> bool:
        return self.inputs is not None and self.inputs.hold

    def names(self, product: str, seq: int) -> None:
        """An event or a heartbeat names the product that runs; an older one says nothing."""
        if seq >= self.seq:
            self.product, self.seq = product, seq

    def part(self, part: Part, now: float) -> None:
        if part.number <= self.newest:
            return
        self.newest, self.parts[part.number] = part.number, part
        self.counts["inspected"] += 1
        self.counts[part.verdict.lower()] += 1
        if part.verdict == "NO_VERDICT":
            self.of_part = Trouble.NO_VERDICT
            self.waiting = [] if self.mode == "free-running" else self.waiting
        elif part.deadline <= now:
            self.expire(part, "expired", Trouble.EXPIRED)
        elif part.number <= self.acknowledged():
            self.expire(part, "ack_ahead", Trouble.ACK_AHEAD)
        elif self.mode == "dequeue" and len(self.waiting) == BUFFER:
            self.counts["overruns"] += BUFFER + 1
            self.missed += [(one.number, "overrun") for one in [*self.waiting, part]]
            self.waiting, self.of_part = [], Trouble.OVERRUN
        else:
            self.waiting = [part] if self.mode == "free-running" else [*self.waiting, part]
            self.of_part = Trouble.NONE
            if not self.cause(now):
                self.sent.append(part.number)

    def expire(self, part: Part, why: str, trouble: Trouble) -> None:
        self.counts["expired"] += 1
        self.missed.append((part.number, why))
        self.of_part = trouble

    def plc(self, inputs: Inputs, now: float) -> None:
        before = self.inputs
        if before and before.heartbeat != inputs.heartbeat:
            self.moved = now
        if inputs.acknowledged != self.old_ack:
            self.old_ack = 0
        if inputs.reset and not (before and before.reset):
            self.of_part = Trouble.NONE
        if inputs.counter_reset and not (before and before.counter_reset):
            self.counts = dict.fromkeys(self.counts, 0)
        self.inputs = inputs
        self.waiting = [one for one in self.waiting if one.number > self.acknowledged()]

    def pass_time(self, now: float) -> None:
        while self.waiting and self.waiting[0].deadline <= now:
            one = self.waiting.pop(0)
            if self.mode == "dequeue" or self.hold():
                self.expire(one, "not_taken", Trouble.EXPIRED)

    def another_log(self) -> None:
        self.newest = self.seq = 0
        self.parts, self.waiting = {}, []
        self.sent_before = len(self.sent)
        self.old_ack = self.inputs.acknowledged if self.inputs else 0
