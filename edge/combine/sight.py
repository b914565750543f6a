"""One view's event of a part, with its times on this machine's clocks."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

from edge.events.clock import boot_id
from edge.events.codes import Code
from edge.events.event import Inspection

By = Literal["part-id", "trigger-id"]
Key = str | int

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOST = (Code.OUTAGE, Code.TRIGGER_LOST)
SKEW_S = 0.05  # a station's clock may be so far ahead


@dataclass(frozen=True)
class Now:
    """A point in time: this machine's boot, its monotonic clock, and microseconds since 1970."""

    boot_id: str
    monotonic_ns: int
    wall_us: int

    @classmethod
    def read(cls) -> "Now":
        """The clocks now."""
        return cls(_this_boot(), time.monotonic_ns(), time.time_ns() // 1000)

    @property
    def s(self) -> float:
        """Seconds of the monotonic clock."""
        return self.monotonic_ns / 1e9


@dataclass(frozen=True)
class Sight:
    """What the view `view` said of a part.

    `captured_ns` is on this machine's monotonic clock, `captured_us` microseconds of the wall
    clock since 1970. `ahead`: the station's clock is ahead, or its time cannot be read, so that
    nobody knows how old the part is.
    """

    view: str
    header: Inspection
    mask_png: bytes
    captured_ns: int
    captured_us: int
    ahead: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it is a trigger without a frame: its time is when its station noticed that."""
        return self.header.code.number in LOST

    @property
    def source(self) -> tuple[str, int]:
        """The event's stream and number."""
        return self.header.stream_id, self.header.seq


def sight_of(view: str, header: Inspection, mask_png: bytes, now: Now) -> Sight:
    """A view's event that was received before `now`.

    Its age is measured on the monotonic clock where the station runs on this machine, else on the
    wall clocks of both.
    """
    us = wall_us(header.captured_at)
    if header.boot_id == now.boot_id:
        age_ns = now.monotonic_ns - header.captured_ns
    else:
        age_ns = (now.wall_us - (us or 0)) * 1000
    captured_ns = now.monotonic_ns - max(age_ns, 0)
    ahead = us is None or age_ns < -SKEW_S * 1e9
    return Sight(view, header, mask_png, captured_ns, us or 0, ahead)


def key_of(header: Inspection, by: By) -> Key | None:
    """What a part is joined by; None where its station does not know it."""
    return header.part_id or None if by == "part-id" else header.trigger_id


@cache
def _this_boot() -> str:
    return boot_id()


def wall_us(text: str) -> int | None:
    """Microseconds since 1970 of a time with its zone; None for what is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at - EPOCH) // timedelta(microseconds=1) if at.tzinfo else None
