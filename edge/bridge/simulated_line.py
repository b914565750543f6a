"""A simulated line, for commissioning a PLC without a camera: `draem bridge ... --simulate`."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from edge.camera.trigger_matching import Trigger
from edge.events.clock import MonotonicTime, boot_id
from edge.events.codes import Code
from edge.events.control_messages import (
    ChangeStatus,
    ClockReply,
    Health,
    ProductReply,
    Request,
    SwitchRequest,
    TriggerReply,
    TriggerRequest,
)
from edge.events.event import CodeName, Event, Heartbeat, Inspection, Region, Verdict
from edge.events.notices import Notice, Notify

NG_EVERY, NO_VERDICT_EVERY = 10, 25
ENCODER_COUNTS = 1000  # from part to part
SIMULATED = "simulated"  # its stream, station and first product
HEARTBEAT_S = 0.5
THRESHOLD = 0.5
PREPARE_S = 1.0
POLL_S = 0.01


class SimulatedLine:
    """A `LineClient` of edge.bridge.line_requests without a line; changes take one second.

    Parts come by themselves until the first trigger; from then on one comes with each trigger.
    While it is paused none come by themselves, and a triggered one has no verdict.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.product = rate, SIMULATED
        self.triggered, self.triggers = False, deque[Trigger]()
        self.paused = False
        self._change, self._due = ChangeStatus(), 0.0

    def ask(self, question: BaseModel) -> list[bytes]:
        """As a line's control socket would."""
        return [self._answer(question).model_dump_json().encode()]

    def _answer(self, question: BaseModel) -> BaseModel:
        now = time.monotonic()
        if isinstance(question, TriggerRequest):
            self.triggered = True
            asked = Trigger(question.trigger_id, question.encoder, question.part_id)
            self.triggers.append(asked)
            return TriggerReply(trigger_id=question.trigger_id)
        if isinstance(question, Request) and question.request == "clock":
            return ClockReply(now=MonotonicTime.now())
        if isinstance(question, Request) and question.request in ("pause", "resume"):
            self.paused = question.request == "pause"
            return self._health()
        if isinstance(question, SwitchRequest):
            self._change = ChangeStatus(state="loading", product=question.product)
            self._due = now + PREPARE_S
        elif self._change.state == "loading" and now >= self._due:
            self.product = self._change.product
            self._change = self._change.model_copy(update={"state": "done"})
        return ProductReply(product=self.product, version="0", change=self._change)

    def _health(self) -> Health:
        state: Literal["running", "paused"] = "paused" if self.paused else "running"
        return Health(state=state, uptime_s=0, turned_s_ago=0, head=0, unlogged=0)

    def close(self) -> None:
        """Nothing is open."""


def simulated(line: SimulatedLine) -> Callable[[Notify, Callable[[], bool]], Iterator[Event]]:
    """Parts at its rate: every tenth is NG, every 25th has no verdict, the others are OK."""

    def source(notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        number, due, beat, paused = 0, time.monotonic(), 0.0, False
        while not stopped():
            now = time.monotonic()
            if now >= beat or paused is not line.paused:
                paused = line.paused
                notify(Notice("heartbeat", SIMULATED, _heartbeat(number, line.product, paused)))
                beat = now + HEARTBEAT_S
            while line.triggers:
                number += 1
                yield Event(_part(number, line.product, line.triggers.popleft(), paused))
            if now >= due:
                due += 1 / line.rate
                if not line.triggered and not paused:
                    number += 1
                    yield Event(_part(number, line.product, _by_itself(number)))
            time.sleep(min(POLL_S, max(0.0, due - time.monotonic())))

    return source


def _stamp(product: str) -> dict[str, object]:
    return {
        "stream_id": SIMULATED, "station": SIMULATED, "boot_id": boot_id(),
        "published_ns": time.monotonic_ns(),
        "published_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "product": product, "version": "0",
    }  # fmt: skip


def _heartbeat(head: int, product: str = SIMULATED, paused: bool = False) -> Heartbeat:
    return Heartbeat.model_validate(_stamp(product) | {
        "head": head, "state": "paused" if paused else "running",
        "every_ms": int(1000 * HEARTBEAT_S),
        "code": CodeName.of(Code.NONE),
    })  # fmt: skip


def _by_itself(number: int) -> Trigger:
    return Trigger(number, ENCODER_COUNTS * number, f"part-{number}")


def _code(verdict: Verdict, paused: bool) -> Code:
    if verdict != "NO_VERDICT":
        return Code.NONE
    return Code.PAUSED if paused else Code.OVERRUN


def _part(number: int, product: str, trigger: Trigger, paused: bool = False) -> Inspection:
    verdict: Verdict = "OK"
    if paused or trigger.trigger_id % NO_VERDICT_EVERY == 0:
        verdict = "NO_VERDICT"
    elif trigger.trigger_id % NG_EVERY == 0:
        verdict = "NG"
    stamp = _stamp(product)
    scores = {"OK": 0.2, "NG": 0.9, "NO_VERDICT": None}
    region = Region(box=(100, 80, 40, 20), area=500, score=0.9)
    return Inspection.model_validate(stamp | {
        "seq": number, "inspection_id": number, "frame_id": number,
        "trigger_id": trigger.trigger_id, "encoder": trigger.encoder, "part_id": trigger.part_id,
        "verdict": verdict,
        "code": CodeName.of(_code(verdict, paused)),
        "captured_ns": stamp["published_ns"], "captured_at": stamp["published_at"],
        "stages_ms": {}, "score": scores[verdict], "threshold": THRESHOLD, "passed_over": 0,
        "regions": [region] if verdict == "NG" else [],
    })  # fmt: skip
