"""Made-up events for the archive, and how to write them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, select

from edge.archive.batch import Received
from edge.archive.database import reading
from edge.archive.writer import Writer
from edge.events.codes import Code
from edge.events.event import CodeName, Event, Fault, Inspection, Region, Status

BEGIN = datetime(2026, 11, 2, 6, tzinfo=UTC)
HEADER = {"boot_id": "boot", "published_ns": 1}


def inspected(seq: int, *, stream: str = "0123456789abcdef", **changes: Any) -> Event:
    """An inspection one second after the one before; `changes` are fields of its header."""
    at = (BEGIN + timedelta(seconds=seq)).isoformat()
    verdict = changes.get("verdict", "OK")
    box = changes.pop("box", (10, 20, 30, 40))
    regions = [Region(box=box, area=9, score=0.9)] if verdict == "NG" else []
    code = changes.pop("code", Code.NONE if verdict != "NO_VERDICT" else Code.OVERRUN)
    score = None if verdict == "NO_VERDICT" else 0.9 if verdict == "NG" else 0.1
    fields = {
        "station": "line-1", "product": "lid", "version": "3", "inspection_id": seq,
        "frame_id": seq, "trigger_id": seq, "verdict": verdict, "score": score, "threshold": 0.5,
        "captured_ns": 1, "captured_at": at, "published_at": at, "stages_ms": {"infer": 2.0},
        "passed_over": 0, "regions": regions,
    }  # fmt: skip
    header = Inspection(
        **HEADER, stream_id=stream, seq=seq, code=CodeName.of(code), **(fields | changes)
    )
    return Event(header, None, b"mask of %d" % seq)


def reported(seq: int, *, stream: str = "0123456789abcdef", station: str = "line-1") -> Event:
    """A fault."""
    at = (BEGIN + timedelta(seconds=seq)).isoformat()
    base = {**HEADER, "stream_id": stream, "station": station, "published_at": at}
    code = CodeName.of(Code.CAMERA_LOST)
    return Event(Fault(**base, seq=seq, code=code, message="plug it in"))


def running(seq: int, product: str, *, stream: str = "0123456789abcdef") -> Event:
    """A status with the product that now runs."""
    at = (BEGIN + timedelta(seconds=seq)).isoformat()
    base = {**HEADER, "stream_id": stream, "station": "line-1", "published_at": at}
    return Event(Status(**base, seq=seq, state="running", product=product, version="1"))


def write(writer: Writer, events: Sequence[Event], endpoint: str = "tcp://a:1") -> None:
    """Write events of one station in one batch."""
    writer.write([Received(endpoint, event) for event in events])


def rows(engine: Engine, table: Table) -> list[dict[str, Any]]:
    """All rows of a table, in the order of its key."""
    query = select(table).order_by(*table.primary_key)
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]
