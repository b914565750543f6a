"""Chunk data: what a GenICam camera says about a frame, behind its picture.

A buffer with chunks is read from its end (GigE Vision 2.0, 24.3): each chunk is its data, then its
id and its length, four bytes each; big-endian on GigE Vision, little-endian on USB3 Vision.
"""

import struct
from collections.abc import Mapping
from typing import Literal

Value = int | float

TRIGGER = ("ChunkTriggerID", "ChunkCounterValue")
ENCODER = ("ChunkEncoderValue",)


def split_chunks(data: bytes, order: Literal["big", "little"] = "big") -> dict[int, bytes]:
    """Every chunk by its id. Raises ValueError where the lengths do not add up to the buffer."""
    tail = struct.Struct(">II" if order == "big" else "<II")
    chunks: dict[int, bytes] = {}
    end = len(data)
    while end:
        if end < tail.size:
            raise ValueError(f"the chunk data has {end} bytes too many")
        chunk, length = tail.unpack_from(data, end - tail.size)
        start = end - tail.size - length
        if start < 0:
            raise ValueError(f"chunk 0x{chunk:x} says {length} bytes, and there are fewer")
        if chunk in chunks:
            raise ValueError(f"chunk 0x{chunk:x} is there twice")
        chunks[chunk] = data[start : start + length]
        end = start
    return chunks


def number(values: Mapping[str, Value], names: tuple[str, ...]) -> int | None:
    """The first of `names` that the frame carries, as a whole number."""
    found = next((values[name] for name in names if name in values), None)
    return None if found is None else int(found)
