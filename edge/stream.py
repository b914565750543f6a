"""One stream of events: numbered, stamped, committed to the log, and only then published."""

import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol, TypedDict

from edge.capture import Taken
from edge.event import (
    UINT32,
    AnyHeader,
    Code,
    CodeName,
    Fault,
    Inspection,
    MaskPlacement,
    Status,
    encode,
)
from edge.inspector import Judged
from edge.journal import Journal
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


class Outlet(Protocol):
    """Where events leave to whoever listens: `edge.publish.Publisher`."""

    def send(self, parts: list[bytes]) -> None: ...


class Stream:
    """Tells events: each is numbered after the last one of the log, committed, then published."""

    def __init__(self, station: str, journal: Journal, outlet: Outlet) -> None:
        self._station, self._journal, self._outlet = station, journal, outlet
        self._boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"

    def inspection(
        self,
        taken: Taken,
        judged: Judged,
        product: Product,
        stages_ms: dict[str, float],
        mask_png: bytes,
    ) -> Inspection:
        """The verdict on one frame."""
        frame, passed_over = taken
        verdict, code, score, threshold, regions, _ = judged.judgement
        stamp = self._stamp()
        age = timedelta(microseconds=(stamp["published_ns"] - frame.captured_ns) / 1000)
        captured_at = datetime.fromisoformat(stamp["published_at"]) - age
        where = judged.placement
        header = Inspection(
            **stamp,
            product=product.name,
            version=product.version,
            inspection_id=self._journal.inspection_id % UINT32 + 1,
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
        self._tell(header, mask_png)
        return header

    def fault(self, code: Code, message: str) -> None:
        """Something that needs somebody to act."""
        self._tell(Fault(**self._stamp(), code=CodeName.of(code), message=message))

    def running(self, product: Product) -> None:
        """The line begins."""
        self._status("running", product)

    def stopped(self, product: Product) -> None:
        """The line has ended as it should."""
        self._status("stopped", product)

    def _status(self, state: Literal["running", "stopped"], product: Product) -> None:
        self._tell(
            Status(**self._stamp(), state=state, product=product.name, version=product.version)
        )

    def _tell(self, header: AnyHeader, mask_png: bytes = b"") -> None:
        """Commit first, publish second: what was published can be asked for again."""
        self._journal.append(header, mask_png)
        self._outlet.send(encode(header, mask_png))

    def _stamp(self) -> Stamp:
        return Stamp(
            stream_id=self._journal.stream_id,
            seq=self._journal.head + 1,
            station=self._station,
            boot_id=self._boot_id,
            published_ns=time.monotonic_ns(),
            published_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
