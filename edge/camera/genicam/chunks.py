"""Chunk data: a GenICam camera's metadata of a frame, stored behind its picture."""

from collections.abc import Mapping
from typing import Any

Value = int | float

TRIGGER = ("ChunkTriggerID", "ChunkCounterValue")
ENCODER = ("ChunkEncoderValue",)


class ChunkReader:
    """Reads the chunks `names` (without `Chunk`) of each buffer with Aravis's `parser`."""

    def __init__(self, parser: Any, names: tuple[str, ...]) -> None:
        self._parser, self._names = parser, tuple(f"Chunk{name}" for name in names)
        self.has_trigger_id = any(name in TRIGGER for name in self._names)

    def read(self, buffer: Any) -> dict[str, Value]:
        """The values by name. Raises ValueError where they are damaged or one is missing."""
        return {name: self._value(buffer, name) for name in self._names}

    def _value(self, buffer: Any, name: str) -> Value:
        from gi.repository import GLib

        for get in (self._parser.get_integer_value, self._parser.get_float_value):
            try:
                value: Value = get(buffer, name)
            except GLib.Error:
                continue
            return value
        raise ValueError(f"the frame carries no {name}")


def number(values: Mapping[str, Value], names: tuple[str, ...]) -> int | None:
    """The first of `names` that the frame carries, as a whole number."""
    found = next((values[name] for name in names if name in values), None)
    return None if found is None else int(found)
