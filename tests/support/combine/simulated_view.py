"""A station without a process: a log of events, and how far `draem combine` has received it."""

from datetime import UTC, datetime, timedelta

from edge.combine.sight import EPOCH
from edge.events.clock import boot_id
from edge.events.codes import Code
from edge.events.cursor_file import Cursor
from edge.events.event import CodeName, Event, Heartbeat, Inspection, Region, Verdict
from tests.support.combine.clock import Clock


def inspection(verdict: Verdict = "OK", **values: object) -> Inspection:
    """What a view said of a part; score 0.2 of a threshold of 0.5, or 0.9 where it is NG."""
    lost = values.get("frame_id") == 0
    code = Code.NONE if verdict != "NO_VERDICT" else Code.OUTAGE if lost else Code.OVERRUN
    score = {"OK": 0.2, "NG": 0.9, "NO_VERDICT": None}[verdict]
    given: dict[str, object] = {
        "stream_id": "s", "station": "top", "boot_id": boot_id(), "seq": 1,
        "published_ns": 0, "published_at": "2026-01-01T00:00:00+00:00", "product": "lid",
        "version": "3", "inspection_id": 1, "frame_id": 1, "trigger_id": 1, "encoder": -5,
        "part_id": "part-1", "verdict": verdict, "code": CodeName.of(code), "captured_ns": 0,
        "captured_at": datetime.now(UTC).isoformat(), "stages_ms": {}, "score": score,
        "threshold": 0.5, "passed_over": 0,
        "regions": [Region(box=(1, 2, 3, 4), area=12, score=0.9)] if verdict == "NG" else [],
    }  # fmt: skip
    return Inspection.model_validate(given | values)


class SimulatedView:
    """Events in order; `position` is the number that was received last of this stream."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name, self._clock = name, clock
        self.streams, self.position = 0, 0
        self.log: list[Inspection | None] = []  # None: deleted before it was received
        self.begin_anew()

    def begin_anew(self) -> None:
        """Another log: what was not received of the last one is lost."""
        self.streams += 1
        self.log, self.position = [], 0

    @property
    def stream_id(self) -> str:
        return f"{self.name}-{self.streams}"

    def inspect(self, serial: int, key: int | None, verdict: Verdict, product: str) -> Inspection:
        """The event of physical part `serial`, which is in its `frame_id`."""
        captured_us = self._clock.time_ns() // 1000
        made = inspection(
            verdict, stream_id=self.stream_id, seq=len(self.log) + 1, station=self.name,
            inspection_id=len(self.log) + 1, frame_id=serial, trigger_id=key, product=product,
            captured_ns=self._clock.monotonic_ns(),
            captured_at=(EPOCH + timedelta(microseconds=captured_us)).isoformat(),
        )  # fmt: skip
        self.log.append(made)
        return made

    def delete_next(self, count: int) -> None:
        """Events that were never received and no longer exist."""
        for i in range(self.position, min(self.position + count, len(self.log))):
            self.log[i] = None

    def receive(self, count: int) -> list[Event]:
        """The next events."""
        found = self.log[self.position : self.position + count]
        self.position += len(found)
        return [Event(header) for header in found if header is not None]

    def resume(self, saved: Cursor | None) -> None:
        """A new subscriber: from its cursor on, or from the first event of another log."""
        if saved is None:
            self.position = len(self.log)
        else:
            self.position = saved.seq if saved.stream_id == self.stream_id else 0

    def heartbeat(self, state: str = "running", product: str = "lid", code: Code = Code.NONE,
                  message: str = "") -> Heartbeat:  # fmt: skip
        """What its loop sends."""
        values = inspection(stream_id=self.stream_id, station=self.name, product=product)
        stamp = values.model_dump(include=set(Heartbeat.model_fields))
        more = {"kind": "heartbeat", "head": len(self.log), "state": state, "every_ms": 500,
                "code": CodeName.of(code), "message": message}  # fmt: skip
        return Heartbeat.model_validate(stamp | more)
