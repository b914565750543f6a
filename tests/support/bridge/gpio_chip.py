"""A GPIO chip in memory that behaves as libgpiod's API: pads, polarity, drives, edges, one owner.

The settings are gpiod's own; only `gpiod.request_lines` is replaced. What the kernel does beyond it
is not shown here. As a program: `python -m tests.support.bridge.gpio_chip FILE WORDS...` runs draem
with this chip, and writes each change of a pad as a line into FILE.
"""

import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gpiod
from gpiod.line import Bias, Direction, Drive, Edge, Value

Lines = dict[int | str, gpiod.LineSettings]
PULLED = {Bias.PULL_UP: True, Bias.PULL_DOWN: False}


class Chip:
    """Sixty-four lines; a pad that nobody drives has the level of its pull, or is low."""

    def __init__(self, changed: Callable[[int, bool], None] = lambda line, high: None) -> None:
        self.names: dict[str, int] = {}
        self.pulls: dict[int, bool] = {}
        """Resistors on the board."""
        self.wires: dict[int, int] = {}
        """From an input to the output that it is wired to."""
        self.shorts: dict[int, bool] = {}
        """Pads that keep their level whatever drives them."""
        self.driven: dict[int, bool] = {}
        self.owned: Lines = {}
        self.calls: list[dict[int, bool]] = []
        """The levels of each call that sets values."""
        self.gone = False
        self.clock: Callable[[], int] = time.monotonic_ns
        self._edges: list[gpiod.EdgeEvent] = []
        self._edge_number = 0
        self._changed = changed

    def offset(self, line: int | str) -> int:
        return self.names[line] if isinstance(line, str) else line

    def high(self, line: int) -> bool:
        """The level of a pad."""
        if line in self.shorts:
            return self.shorts[line]
        if line in self.wires:
            return self.high(self.wires[line])
        return self.driven.get(line, self.pulls.get(line, False))

    def request_lines(
        self,
        path: str,
        config: Lines,
        consumer: str | None = None,
        event_buffer_size: int | None = None,
    ) -> "Request":
        if path != "/dev/gpiochip0":
            raise FileNotFoundError(path)
        if not all(isinstance(line, int) or line in self.names for line in config):
            raise ValueError("line not found")
        lines: Lines = {self.offset(line): settings for line, settings in config.items()}
        if set(lines) & set(self.owned):
            raise OSError(16, "Device or resource busy")
        self.owned |= lines
        return Request(self, lines)

    def drive(self, line: int, active: bool) -> None:
        """As the settings of a line say."""
        settings = self.owned[line]
        high = active is not settings.active_low
        before = self.high(line)
        undriven = {Drive.OPEN_DRAIN: True, Drive.OPEN_SOURCE: False}.get(settings.drive)
        if high is undriven:
            self.driven.pop(line, None)
            if settings.bias in PULLED:
                self.pulls[line] = PULLED[settings.bias]
        else:
            self.driven[line] = high
        if self.high(line) is not before:
            self._changed(line, self.high(line))

    def edge(self, line: int, count: int = 1, lost: int = 0) -> None:
        """The encoder's edges; the kernel loses some if the program does not read them."""
        for _ in range(count):
            self._edge_number += 1
            rising = gpiod.EdgeEvent.Type.RISING_EDGE.value
            number = self._edge_number + lost
            event = gpiod.EdgeEvent(rising, self.clock(), line, number, number)
            self._edges.append(event)
        self._edge_number += lost

    def take_edges(self) -> list[gpiod.EdgeEvent]:
        taken, self._edges = self._edges, []
        return taken

    @property
    def has_edges(self) -> bool:
        return bool(self._edges)


class Request:
    """As gpiod.LineRequest, of one owner."""

    def __init__(self, chip: Chip, lines: Lines) -> None:
        self._chip, self._lines, self._released = chip, lines, False
        for line, settings in lines.items():
            assert isinstance(line, int)
            if settings.direction is Direction.OUTPUT:
                chip.drive(line, bool(settings.output_value))

    def __bool__(self) -> bool:
        return not self._released

    def _check(self) -> None:
        assert not self._released
        if self._chip.gone:
            raise OSError(19, "No such device")

    def set_values(self, values: dict[int | str, Value]) -> None:
        self._check()
        for line, value in values.items():
            offset = self._chip.offset(line)
            assert self._lines[offset].direction is Direction.OUTPUT
            self._chip.drive(offset, bool(value))
        offsets = [self._chip.offset(line) for line in values]
        self._chip.calls.append({offset: self._chip.high(offset) for offset in offsets})

    def get_values(self, lines: Iterable[int | str]) -> list[Value]:
        self._check()
        offsets = [self._chip.offset(line) for line in lines]
        return [
            Value.ACTIVE
            if self._chip.high(offset) is not self._lines[offset].active_low
            else Value.INACTIVE
            for offset in offsets
        ]

    def wait_edge_events(self, timeout: timedelta) -> bool:
        self._check()
        if not self._chip.has_edges and timeout:
            time.sleep(timeout.total_seconds())
        return self._chip.has_edges

    def read_edge_events(self) -> list[gpiod.EdgeEvent]:
        self._check()
        found = self._chip.take_edges()
        assert all(self._lines[edge.line_offset].edge_detection is Edge.RISING for edge in found)
        return found

    def release(self) -> None:
        """The pads stay as they are: many chips do so."""
        self._released = True
        for line in self._lines:
            del self._chip.owned[line]


def replaced(chip: Chip) -> Any:
    """A context in which gpiod's chip is this one."""
    return patch.object(gpiod, "request_lines", chip.request_lines)


def main(path: str, *words: str) -> int:
    import draem

    with Path(path).open("a", encoding="utf-8") as file:
        chip = Chip(lambda line, high: print(line, int(high), file=file, flush=True))
        with replaced(chip):
            return draem.main(words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
