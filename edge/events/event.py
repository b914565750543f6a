"""Headers of the messages that a station publishes: events and heartbeats.

Heartbeats come between events; they have no number and are not in the log. The docstrings of the
headers are part of their JSON Schema, docs/event.schema.json (edge.events.schema).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from edge.base.text import printable
from edge.events.codes import Code

SCHEMA = "1.5"
UINT32_MAX = 2**32 - 1

Verdict = Literal["OK", "NG", "NO_VERDICT"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _valid_unicode(cls, value: object) -> object:
        """Names of files may hold bytes that are not UTF-8, which JSON cannot."""
        return printable(value) if isinstance(value, str) else value


class CodeName(_Part):
    """A code as number and name; 0 and `none` where nothing is wrong."""

    number: int
    name: str

    @classmethod
    def of(cls, code: Code) -> "CodeName":
        return cls(number=int(code), name=code.name.lower())


class Region(_Part):
    """A connected defect: box (x, y, width, height) and area in camera pixels, highest heat.

    The same in mm and mm2 where the station is measured: on the part's plane, from the corner of
    the (corrected) frame's first pixel.
    """

    box: tuple[int, int, int, int]
    area: int
    score: float
    box_mm: tuple[float, float, float, float] | None = None
    area_mm2: float | None = None


class MaskPlacement(_Part):
    """The mask's size, and the crop of the camera frame (x, y, width, height) that it covers.

    Of an aligned part that is the upright box around what was judged.

    Where `corrected`, it covers the crop without lens distortion and tilt: an upright rectangle a
    little larger than the crop. `box_mm` is that rectangle, or the crop, as a region's is.
    """

    crop: tuple[int, int, int, int]
    height: int
    width: int
    corrected: bool = False
    box_mm: tuple[float, float, float, float] | None = None


class PartAlignment(_Part):
    """How a part was found by the product's reference picture; `quality` is 1 at most.

    `turn` in degrees, clockwise, and `shift` (x, y) of the crop's middle in camera pixels; null
    where the part was not aligned.
    """

    quality: float
    turn: float | None = None
    shift: tuple[float, float] | None = None


class View(_Part):
    """What one camera says of a part that several see; `verdict` is null where nothing came.

    The event itself is number `seq` of the stream `stream_id`.
    """

    name: str
    verdict: Verdict | None = None
    code: CodeName
    station: str = ""
    stream_id: str = ""
    seq: int = 0
    inspection_id: int = 0
    product: str = ""
    version: str = ""
    score: float | None = None
    threshold: float | None = None


class Stamped(_Part):
    """What every message carries: who sent it, and when.

    Times in `_ns` are the monotonic clock of the boot `boot_id`; times in `_at` are wall clock.
    """

    schema_version: str = SCHEMA
    stream_id: str
    station: str
    boot_id: str
    published_ns: int
    published_at: str


class Header(Stamped):
    """What every event carries. `seq` counts the events of one stream without a gap, from 1."""

    seq: int = Field(ge=1)


class Inspection(Header):
    """The verdict on one frame. NG if and only if score >= threshold.

    With regions of interest, `score` and `threshold` are those of `roi`: the region where the score
    is the largest part of its threshold.

    `passed_over` counts the frames since the last event that no event was made for (free-running).
    `camera_ns` is the camera's own clock, `chunks` what else it said of the frame. `picture` says
    whether there is a frame, which the station may have kept; null from stations before schema 1.3.

    A part that several cameras see has `views`; score, threshold, roi, regions and mask are those
    of `view`, the worst of them. Both are null from a single station.

    `alignment` is null where the product does not align its parts, and before schema 1.5.
    """

    kind: Literal["inspection"] = "inspection"
    product: str
    version: str
    inspection_id: int = Field(ge=1, le=UINT32_MAX)
    frame_id: int
    trigger_id: int | None = None
    encoder: int | None = None
    part_id: str | None = None
    verdict: Verdict
    code: CodeName
    captured_ns: int
    captured_at: str
    camera_ns: int | None = None
    chunks: dict[str, int | float] = Field(default_factory=dict)
    stages_ms: dict[str, float]
    score: float | None
    threshold: float | None
    roi: str | None = None
    passed_over: int = Field(ge=0)
    regions: list[Region]
    mask: MaskPlacement | None = None
    picture: bool | None = None
    alignment: PartAlignment | None = None
    view: str | None = None
    views: list[View] | None = None


class Fault(Header):
    """Something that needs a person or a machine to act; `message` says what to do."""

    kind: Literal["fault"] = "fault"
    code: CodeName
    message: str


class RecordedChange(_Part):
    """What a person or a PLC changed, for the audit trail; the same `id` is the same change.

    `who`, `origin` (user and machine) and `reason` are what the client said; `key` names the key of
    its connection, where the station has keys. `at` is wall clock.
    """

    id: str
    at: str
    action: str
    target: str
    old: str = ""
    new: str = ""
    who: str = ""
    origin: str = ""
    key: str = ""
    reason: str = ""


class Status(Header):
    """The station's state or product has changed, or `changes` were made in its products folder.

    `changes` also has the request that caused it; none from stations before schema 1.4.
    """

    kind: Literal["status"] = "status"
    state: Literal["running", "paused", "stopped"]
    product: str
    version: str
    changes: list[RecordedChange] = Field(default_factory=list)


class Heartbeat(Stamped):
    """The loop turns: `head` is the newest event, so that a lost last one is noticed.

    It comes every `every_ms`, from the loop itself: a hung engine silences it. In the state `fault`
    no verdict is given; `code` and `message` say why.
    """

    kind: Literal["heartbeat"] = "heartbeat"
    head: int = Field(ge=0)
    state: Literal["running", "paused", "fault"]
    product: str
    version: str
    every_ms: int = Field(ge=1)
    code: CodeName
    message: str = ""


AnyHeader = Inspection | Fault | Status
MESSAGE: TypeAdapter[AnyHeader | Heartbeat] = TypeAdapter(
    Annotated[AnyHeader | Heartbeat, Field(discriminator="kind")]
)


@dataclass(frozen=True, eq=False)
class Event:
    """A header, and for an inspection its mask: HW uint8, 0 and 255, in the network's size.

    `mask_png` is the mask as it was sent.
    """

    header: AnyHeader
    mask: NDArray[np.uint8] | None = None
    mask_png: bytes = b""
