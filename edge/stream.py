"""One stream of events: who numbers them and stamps their times."""

import math
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from edge.capture import Taken
from edge.event import Code, CodeName, Fault, Inspection, MaskPlacement, Status
from edge.inspector import Judged
from edge.product import Product

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Stamp(TypedDict):
    """The fields of every header."""

    stream_id: str
    seq: int
    station: str
    boot_id: str
    published_ns: int
    published_at: str


class Stream:
    """Makes headers, numbered from 1 without a gap; a new object is a new stream."""

    def __init__(self, station: str) -> None:
        self._station = station
        self._stream_id = uuid.uuid4().hex
        self._boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"
        self._seq = 0
        self._inspection_id = 0

    def inspection(
        self, taken: Taken, judged: Judged, product: Product, stages_ms: dict[str, float]
    ) -> Inspection:
        """The event of one frame."""
        self._inspection_id += 1
        frame, passed_over = taken
        verdict, code, score, threshold, regions, _ = judged.judgement
        stamp = self._stamp()
        age = timedelta(microseconds=(stamp["published_ns"] - frame.captured_ns) / 1000)
        captured_at = datetime.fromisoformat(stamp["published_at"]) - age
        where = judged.placement
        return Inspection(
            **stamp,
            product=product.name,
            version=product.version,
            inspection_id=self._inspection_id,
            frame_id=frame.frame_id,
            trigger_id=frame.trigger_id,
            encoder=frame.encoder,
            part_id=frame.part_id,
            verdict=verdict,
            code=CodeName.of(code),
            captured_ns=frame.captured_ns,
            captured_at=captured_at.isoformat(timespec="microseconds"),
            stages_ms=stages_ms,
            score=score if math.isfinite(score) else None,
            threshold=threshold,
            passed_over=passed_over,
            regions=regions,
            mask=MaskPlacement(crop=where.crop, height=where.height, width=where.width)
            if where
            else None,
        )

    def fault(self, code: Code, message: str) -> Fault:
        """Something that needs somebody to act."""
        return Fault(**self._stamp(), code=CodeName.of(code), message=message)

    def running(self, product: Product) -> Status:
        """The line begins."""
        return Status(
            **self._stamp(), state="running", product=product.name, version=product.version
        )

    def stopped(self, product: Product) -> Status:
        """The line has ended as it should."""
        return Status(
            **self._stamp(), state="stopped", product=product.name, version=product.version
        )

    def _stamp(self) -> Stamp:
        self._seq += 1
        return Stamp(
            stream_id=self._stream_id,
            seq=self._seq,
            station=self._station,
            boot_id=self._boot_id,
            published_ns=time.monotonic_ns(),
            published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
