"""What the line publishes: the events, their codes, and how they travel.

An event is three ZeroMQ parts: topic (the kind), JSON header, mask (PNG, or empty). Between events
heartbeats tell that the line is alive; they have no number and are not in the log.
`python -m edge.events.event` prints the JSON Schema that docs/event.schema.json keeps.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.base.errors import DraemError

SCHEMA = "1.2"
UINT32 = 2**32 - 1

Verdict = Literal["OK", "NG", "NO_VERDICT"]


class Code(IntEnum):
    """Why there is no verdict, or what is wrong. Numbers never change their meaning."""

    NONE = 0
    OVERRUN = 101  # a trigger came while another frame still waited
    FRAME_TIMEOUT = 102  # no frame within the camera's deadline
    FRAME_UNREADABLE = 103  # a frame came, but not as a picture
    WRONG_FORMAT = 104  # the frame does not fit the product
    CAMERA = 105  # the camera failed for good
    STOPPED = 106  # the line was stopped before this frame was judged
    OUTAGE = 107  # the program was down when this trigger came
    TRIGGER_LOST = 108  # no frame came for this trigger
    PAUSED = 109  # the line was paused over the control socket
    CAMERA_LOST = 110  # the camera does not answer, or its connection has ended
    CAMERA_SILENT = 111  # it answers, but sends no frames
    STALE = 112  # the frame is the one before once more, byte for byte
    INCOMPLETE = 113  # packets of this frame are missing
    FORMAT_CHANGED = 114  # another size or colour than the frames before
    CAMERA_BACK = 115  # the end of an outage: frames come again
    CAMERA_SETTINGS = 116  # the camera refuses a setting, or keeps another value
    CAMERA_HUNG = 117  # a read of the camera did not return: its driver hangs
    UNTIED = 118  # a frame came that no trigger was given for
    BRIGHTNESS = 201  # outside the calibrated range: lamp, exposure, no part
    CONTRAST = 202  # outside the calibrated range: lens covered, no part
    SHARPNESS = 203  # outside the calibrated range: focus, smear, motion
    CAMERA_MOVED = 211  # drift of many parts in a row, from here on: a fault event, verdicts go on
    LIGHT_CHANGED = 212
    LENS_DIRTY = 213
    SCORES_SHIFTED = 214
    NOT_FINITE = 301  # the network gave a NaN or an infinity
    ENGINE = 302  # the engine failed
    UNCALIBRATED = 303  # the product has no threshold yet
    INTERNAL = 401  # the program failed: its log says how
    UNLOGGED = 501  # the log could not be written when this part passed: disk full or failing
    CURSOR_DROPPED = 502  # events that a bridge has not acknowledged may be trimmed


class EventError(DraemError):
    """A message is no event that this program can read."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


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

    Where `corrected`, it covers the crop without lens distortion and tilt: an upright rectangle a
    little larger than the crop. `box_mm` is that rectangle, or the crop, as a region's is.
    """

    crop: tuple[int, int, int, int]
    height: int
    width: int
    corrected: bool = False
    box_mm: tuple[float, float, float, float] | None = None


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
    `camera_ns` is the camera's own clock, `chunks` what else it said of the frame.
    """

    kind: Literal["inspection"] = "inspection"
    product: str
    version: str
    inspection_id: int = Field(ge=1, le=UINT32)
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


class Fault(Header):
    """Something that needs a person or a machine to act; `message` says what to do."""

    kind: Literal["fault"] = "fault"
    code: CodeName
    message: str


class Status(Header):
    """The station's state has changed."""

    kind: Literal["status"] = "status"
    state: Literal["running", "paused", "stopped"]
    product: str
    version: str


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
_MESSAGES: TypeAdapter[AnyHeader | Heartbeat] = TypeAdapter(
    Annotated[AnyHeader | Heartbeat, Field(discriminator="kind")]
)


@dataclass(frozen=True, eq=False)
class Event:
    """A header, and for an inspection its mask: HW, 0 and 255, at the model's size."""

    header: AnyHeader
    mask: NDArray[np.uint8] | None = None


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """8-bit single-channel PNG; masks are flat, so little effort compresses them well."""
    ok, png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise EventError("the mask cannot be written as PNG")
    return png.tobytes()


def encode(header: AnyHeader | Heartbeat, mask_png: bytes = b"") -> list[bytes]:
    """The three parts of a message."""
    return [header.kind.encode(), header.model_dump_json().encode(), mask_png]


def decode(parts: list[bytes]) -> Event:
    """An event from its parts; unknown fields are ignored.

    Raises EventError for anything that is not one, or that has another major schema version.
    """
    message = decode_live(parts)
    if isinstance(message, Heartbeat):
        raise EventError("a heartbeat is no event")
    return message


def decode_live(parts: list[bytes]) -> Event | Heartbeat:
    """What came from the publisher: an event or a heartbeat. Raises EventError as `decode`."""
    if len(parts) != 3:
        raise EventError(f"an event has 3 parts, this message has {len(parts)}")
    try:
        fields = json.loads(parts[1])
    except (ValueError, RecursionError) as error:
        raise EventError("the event's header is not JSON") from error
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != SCHEMA.split(".")[0]:
        raise EventError(f"the event has schema {version}, this program reads {SCHEMA}: update it")
    try:
        header = _MESSAGES.validate_python(fields)
    except ValidationError as error:
        raise EventError(f"the event's header is not valid: {error.errors()[0]['msg']}") from error
    if isinstance(header, Heartbeat):
        return header
    return Event(header, _decode_mask(parts[2]) if parts[2] else None)


def _decode_mask(png: bytes) -> NDArray[np.uint8]:
    try:
        mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise EventError("the event's mask is not a PNG") from error
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
        raise EventError("the event's mask is not an 8-bit single-channel PNG")
    return np.asarray(mask, np.uint8)


def schema() -> str:
    """The JSON Schema of the header, with the table of codes."""
    made = _MESSAGES.json_schema(mode="serialization")
    made["title"] = f"Header of a DRAEM message, schema {SCHEMA}"
    made["x-codes"] = {str(int(code)): code.name.lower() for code in Code}
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
