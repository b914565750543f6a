"""The maps as DINTs, for Logix controllers: one for each field, and for four characters of a text.

All lie in one array: at its start what the PLC writes, from `SIGNALS` on what the bridge does, and
at its end `check`. A controller may run its program in the middle of a write. So the bridge writes
`check` first and the heartbeat last, with the same number in both: the PLC, which copies the array
from its start to its end, has all fields of one moment where the two are equal.
"""

import struct
from collections.abc import Sequence

from edge.bridge.protocols.registers import READ, Field, pack, unpack

SIGNALS = 16
"""From here on lie the signals; before it what the PLC writes, and what is reserved."""


def count(field: Field) -> int:
    """DINTs of a field."""
    return max(1, field.words // 2)


def length(fields: Sequence[Field]) -> int:
    """DINTs of a map."""
    return sum(count(field) for field in fields)


def index(fields: Sequence[Field], name: str) -> int:
    """Where a field begins; indexes count from 0."""
    names = [field.name for field in fields]
    return length(fields[: names.index(name)])


HEARTBEAT = SIGNALS + index(READ, "heartbeat")
CHECK = SIGNALS + length(READ)
LENGTH = CHECK + 1
"""DINTs of the array."""


def to_dints(fields: Sequence[Field], values: dict[str, int]) -> list[int]:
    """A map, with its values bounded as in registers."""
    values = unpack(fields, pack(fields, values, "high-first"), "high-first")
    raw = b"".join(
        # A text lies in the controller's memory as it is read: a UDT has it as SINT[32].
        values[field.name].to_bytes(
            *((4, "little") if field.words < 3 else (2 * field.words, "big"))
        )
        for field in fields
    )
    return list(struct.unpack(f"<{length(fields)}i", raw))


def from_dints(fields: Sequence[Field], dints: Sequence[int]) -> dict[str, int]:
    """The unsigned values of a map. A number that is too large for its field stays too large."""
    values, at = {}, 0
    for field in fields:
        raw = struct.pack(f"<{count(field)}i", *dints[at : at + count(field)])
        values[field.name] = int.from_bytes(raw, "little" if field.words < 3 else "big")
        at += count(field)
    return values
