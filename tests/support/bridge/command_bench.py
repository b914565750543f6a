"""Product changes and triggers of a bridge, whose line answers when the test says so.

Time is a clock that the test moves; the threads of the bridge are the real ones.
"""

import time
from contextlib import ExitStack
from threading import Condition
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from edge.base.closeable import Closeable
from edge.bridge import plc_trigger, product_change, stall
from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.plc_trigger import Attempt, PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.events.client import NoAnswer
from edge.events.clock import MonotonicTime
from edge.events.control_messages import (
    ChangeStatus,
    ClockReply,
    ProductReply,
    SwitchRequest,
    TriggerReply,
    TriggerRequest,
)
from edge.events.server import ErrorReply
from tests.support.bridge.command_model import TABLE, ChangeModel, LineState, TriggerModel

OFFSET_NS = 10**15  # of the line's clock: it runs on another machine
LIMIT_S = 30  # real time, which only a hang reaches
BAD: dict[str, BaseModel | bytes | None] = {
    "refusal": ErrorReply(message="refused"), "rubbish": b"rubbish", "silence": None,
    "other": TriggerReply(trigger_id=7),
}  # fmt: skip


class Clock:
    """In the place of the module `time`; it moves when it is told to."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic(self) -> float:
        return self.s


class ManualLine:
    """A client of a line: a question blocks until the test calls `answer`."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._answer: list[bytes] | None = None
        self._closed = False
        self.asked = list[BaseModel]()
        self.pending: BaseModel | None = None

    def ask(self, question: BaseModel) -> list[bytes]:
        with self._changed:
            if self._closed:
                raise NoAnswer("the test has ended")
            self.asked.append(question)
            self.pending = question
            self._changed.wait_for(lambda: self.pending is None, LIMIT_S)
            if self._answer is None:
                raise NoAnswer("no answer in time")
            return self._answer

    def answer(self, reply: BaseModel | bytes | None) -> None:
        """None is a line that does not answer in time."""
        with self._changed:
            raw = reply.model_dump_json().encode() if isinstance(reply, BaseModel) else reply
            self._answer = None if raw is None else [raw]
            self.pending = None
            self._changed.notify_all()

    def end(self) -> None:
        self._closed = True
        self.answer(None)

    def close(self) -> None: ...


class Watched(PlcTrigger):
    """Keeps its attempts, so that the test sees how far its thread has come."""

    def __init__(self, line: ManualLine) -> None:
        self.attempts = list[Attempt]()
        super().__init__(line)

    def begin(self, *given: Any, **named: Any) -> Attempt:
        self.attempts.append(super().begin(*given, **named))
        return self.attempts[-1]


class CommandBench(Closeable):
    """One bridge after another, `restart` between them, with the models of the present one."""

    def __init__(self) -> None:
        self.clock, self.line, self.running = Clock(), LineState(), "lid"
        self._looked = 0  # how often the bridge has looked which product runs
        self._patches = ExitStack()
        for module in (plc_trigger, product_change, stall):
            self._patches.enter_context(patch.object(module, "time", self.clock))
        self._patches.enter_context(patch.object(product_change, "POLL_S", 0.0002))
        self._open()

    def _open(self) -> None:
        self.change_line, self.trigger_line = ManualLine(), ManualLine()
        self.change_model, self.trigger_model = ChangeModel(), TriggerModel()
        self._changes = ProductChanges(TABLE, self.change_line, self._look)
        self._triggers = Watched(self.trigger_line)
        self.command = PlcCommand(self._changes, self._triggers)

    def _look(self) -> str:
        self._looked += 1
        return self.running

    def _end(self) -> None:
        for line in (self.change_line, self.trigger_line):
            line.end()
        self._changes.close()
        self._triggers.close()

    def restart(self) -> None:
        self._end()
        self._open()

    def answer_trigger(self, kind: str, lag_s: float = 0.0) -> None:
        asked = self.trigger_line.pending
        now_ns = round((self.clock.s - lag_s) * 1e9) - OFFSET_NS
        reply: Any = ClockReply(now=MonotonicTime(boot_id="another", ns=now_ns))
        if isinstance(asked, TriggerRequest):
            reply = TriggerReply(trigger_id=asked.trigger_id)
        self.trigger_model.answered(kind, self.clock.s)
        self.trigger_line.answer(BAD.get(kind, reply))

    def answer_change(self, kind: str) -> None:
        asked, line = self.change_line.pending, self.line
        if kind == "proper" and isinstance(asked, SwitchRequest):
            line.state, line.changing_to = "loading", asked.product
        status = ChangeStatus.model_validate({"state": line.state, "product": line.changing_to})
        reply = ProductReply(product=line.product, version="1", change=status)
        self.change_model.answered(kind, line, self.running, self.clock.s)
        self.change_line.answer(BAD.get(kind, reply))

    def settle(self, wanted: CommandAnswer) -> None:
        """Wait until the PLC reads what it should, and the line is asked what it should."""
        self.trigger_model.turn(self.clock.s)
        self.change_model.turn(self.running, self.clock.s)
        asking = self.change_model.asking
        request = "product" if asking in ("start", "poll") else asking
        due = wanted, request, self.trigger_model.asking, len(self.trigger_model.queue)
        looked = self._looked + 2 * (self.change_model.events_until is not None)
        end = time.monotonic() + LIMIT_S
        while (found := self._seen()) != due or self._looked < looked:
            assert time.monotonic() < end, f"{found} instead of {due}"
            time.sleep(0.0002)

    def _seen(self) -> tuple[CommandAnswer, str, str, int]:
        pending = (self.change_line.pending, self.trigger_line.pending)
        change, trigger = (getattr(one, "request", "") for one in pending)
        under_way = sum(attempt.under_way for attempt in self._triggers.attempts)
        return self.command.answer(), change, trigger, under_way

    def close(self) -> None:
        self._end()
        self._patches.close()
