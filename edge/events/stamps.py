"""Fields of headers that are filled in when an event is written: numbers, names and times."""

import time
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from edge.events.codes import Code
from edge.events.event import AnyHeader, CodeName, Inspection


class Stamp(TypedDict):
    """The fields that `LoggedWriter` fills in."""

    stream_id: str
    seq: int
    station: str
    boot_id: str
    published_ns: int
    published_at: str


UNSTAMPED = Stamp(stream_id="", seq=1, station="", boot_id="", published_ns=0, published_at="")


def without_verdict(header: AnyHeader) -> AnyHeader:
    """The header of a part whose event could not be committed in time: NO_VERDICT."""
    if not isinstance(header, Inspection):
        return header
    code = header.code if header.verdict == "NO_VERDICT" else CodeName.of(Code.UNLOGGED)
    nothing = {"verdict": "NO_VERDICT", "code": code, "score": None, "regions": [], "mask": None}
    nothing["picture"] = False  # without a number when it came, it could not be kept
    return header.model_copy(update=nothing)


def wall_clock(monotonic_ns: int) -> str:
    """A time of the monotonic clock (ns) as UTC in ISO 8601."""
    age = timedelta(microseconds=(time.monotonic_ns() - monotonic_ns) / 1000)
    return (datetime.now(UTC) - age).isoformat(timespec="microseconds")
