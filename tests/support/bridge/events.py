"""Events without a camera."""

from edge.events.clock import boot_id
from edge.events.codes import Code
from edge.events.event import CodeName, Fault, Header, Inspection, Region, Status, Verdict


def inspection(number: int, verdict: Verdict = "OK", **values: object) -> Inspection:
    """The verdict on part `number`; score 0.2 of a threshold of 0.5, or 0.9 where it is NG."""
    code = Code.OVERRUN if verdict == "NO_VERDICT" else Code.NONE
    score = {"OK": 0.2, "NG": 0.9, "NO_VERDICT": None}[verdict]
    region = Region(box=(10, 20, 30, 40), area=70_000, score=0.95)
    given: dict[str, object] = {
        "stream_id": "s", "station": "press-4", "boot_id": boot_id(), "seq": number,
        "published_ns": 0, "published_at": "2026-01-01T00:00:00+00:00", "product": "lid",
        "version": "3", "inspection_id": number, "frame_id": number, "trigger_id": 1000 + number,
        "encoder": -5 * number, "verdict": verdict, "code": CodeName.of(code), "captured_ns": 0,
        "captured_at": "2026-01-01T00:00:00+00:00", "stages_ms": {}, "score": score,
        "threshold": 0.5, "passed_over": 0, "regions": [region] if verdict == "NG" else [],
    }  # fmt: skip
    return Inspection.model_validate(given | values)


def status(number: int, product: str = "lid") -> Status:
    """The line runs."""
    given = inspection(number, product=product).model_dump(include=set(Status.model_fields))
    return Status.model_validate(given | {"kind": "status", "state": "running"})


def fault(number: int) -> Fault:
    """Something that needs a person."""
    given = inspection(number).model_dump(include=set(Header.model_fields))
    code = CodeName.of(Code.OVERRUN)
    return Fault.model_validate(given | {"code": code, "message": "look"})
