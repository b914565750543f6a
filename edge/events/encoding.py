"""Messages on the wire: three ZeroMQ parts, topic (the kind), JSON header, mask (PNG, or empty)."""

import json
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from edge.base.errors import DraemError
from edge.base.validation import reason
from edge.events.event import MESSAGE, SCHEMA, AnyHeader, Event, Heartbeat


class EventError(DraemError):
    """A message is not an event that this program can read."""


MOST_MASK_PIXELS = 1 << 21
"""Of a mask in an event: as a PNG it is never larger than so many bytes and a few more."""

RUNS = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),  # else each filter is tried in turn
]


def mask_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the mask in the event of a picture of this size: a whole part of it."""
    step = _mask_step(height, width)
    return -(-height // step), -(-width // step)


def _mask_step(height: int, width: int) -> int:
    """How many pixels a side one pixel of an event's mask stands for."""
    step = 1
    while -(-height // step) * -(-width // step) > MOST_MASK_PIXELS:
        step += 1
    return step


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """An 8-bit single-channel PNG; runs are enough, since masks have large uniform areas.

    A large mask is reduced to its `mask_size`, so that no marked pixel is lost.
    """
    step = _mask_step(*mask.shape[:2])
    if not mask.any():
        return _blank(*mask_size(*mask.shape[:2]))
    if step > 1:  # the maximum of each block
        kernel = np.ones((step, step), np.uint8)
        mask = np.asarray(cv2.dilate(mask, kernel, anchor=(0, 0))[::step, ::step], np.uint8)
    return cv2.imencode(".png", mask, RUNS)[1].tobytes()


@lru_cache(maxsize=8)
def _blank(height: int, width: int) -> bytes:
    """The mask of most parts."""
    return cv2.imencode(".png", np.zeros((height, width), np.uint8), RUNS)[1].tobytes()


def encode(header: AnyHeader | Heartbeat, mask_png: bytes = b"") -> list[bytes]:
    """The three parts of a message."""
    return [header.kind.encode(), header.model_dump_json().encode(), mask_png]


def decode(parts: list[bytes]) -> Event:
    """An event from its parts; unknown fields are ignored.

    Raises EventError for anything else, and for another major schema version.
    """
    message = decode_live(parts)
    if isinstance(message, Heartbeat):
        raise EventError("a heartbeat is not an event")
    return message


def decode_live(parts: list[bytes]) -> Event | Heartbeat:
    """An event or a heartbeat from the publisher. Raises EventError like `decode`."""
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
        header = MESSAGE.validate_python(fields)
    except ValidationError as error:
        raise EventError(f"the event's header is not valid: {reason(error.errors()[0])}") from error
    if isinstance(header, Heartbeat):
        return header
    return Event(header, _decode_mask(parts[2]) if parts[2] else None, parts[2])


def _decode_mask(png: bytes) -> NDArray[np.uint8]:
    try:
        mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise EventError("the event's mask is not a PNG") from error
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
        raise EventError("the event's mask is not an 8-bit single-channel PNG")
    return np.asarray(mask, np.uint8)
