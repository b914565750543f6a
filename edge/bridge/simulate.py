"""A line on paper, for commissioning a PLC without a camera: `draem bridge ... --simulate`."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from edge.event import Code, CodeName, Event, Heartbeat, Inspection, Region, Verdict
from edge.journal import boot_id
from edge.notice import Notice, Notify

NG_EVERY, NO_VERDICT_EVERY = 10, 25
ENCODER_COUNTS = 1000  # from part to part
HEARTBEAT_S = 0.5
THRESHOLD = 0.5


def simulated(rate: float) -> Callable[[Notify, Callable[[], bool]], Iterator[Event]]:
    """Parts at `rate` a second: every tenth is NG, every 25th has no verdict, the others are OK."""

    def source(notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        number, due, beat = 0, time.monotonic(), 0.0
        while not stopped():
            now = time.monotonic()
            if now >= beat:
                notify(Notice("heartbeat", "simulated", _heartbeat(number)))
                beat = now + HEARTBEAT_S
            if now >= due:
                number, due = number + 1, due + 1 / rate
                yield Event(_part(number))
            time.sleep(min(0.05, max(0.0, due - time.monotonic())))

    return source


def _stamp(number: int) -> dict[str, object]:
    return {
        "stream_id": "simulated", "station": "simulated", "boot_id": boot_id(),
        "published_ns": time.monotonic_ns(),
        "published_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "product": "simulated", "version": "0",
    }  # fmt: skip


def _heartbeat(head: int) -> Heartbeat:
    return Heartbeat.model_validate(_stamp(head) | {
        "head": head, "state": "running", "every_ms": int(1000 * HEARTBEAT_S),
        "code": CodeName.of(Code.NONE),
    })  # fmt: skip


def _part(number: int) -> Inspection:
    verdict: Verdict = "OK"
    if number % NO_VERDICT_EVERY == 0:
        verdict = "NO_VERDICT"
    elif number % NG_EVERY == 0:
        verdict = "NG"
    stamp = _stamp(number)
    scores = {"OK": 0.2, "NG": 0.9, "NO_VERDICT": None}
    region = Region(box=(100, 80, 40, 20), area=500, score=0.9)
    return Inspection.model_validate(stamp | {
        "seq": number, "inspection_id": number, "frame_id": number, "trigger_id": number,
        "encoder": ENCODER_COUNTS * number, "part_id": f"part-{number}", "verdict": verdict,
        "code": CodeName.of(Code.OVERRUN if verdict == "NO_VERDICT" else Code.NONE),
        "captured_ns": stamp["published_ns"], "captured_at": stamp["published_at"],
        "stages_ms": {}, "score": scores[verdict], "threshold": THRESHOLD, "passed_over": 0,
        "regions": [region] if verdict == "NG" else [],
    })  # fmt: skip
