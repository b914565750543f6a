"""Modbus: the registers and coils that pymodbus's server is asked for."""

from collections.abc import Coroutine
from typing import Any
from unittest.mock import patch

from edge.bridge.feed import Feed
from edge.bridge.gate import Mode
from edge.bridge.protocols import modbus
from edge.bridge.protocols.registers import WordOrder
from edge.bridge.signals import Inputs
from tests.support.bridge.gate_model import Clock
from tests.support.bridge.wires import documented
from tests.support.bridge.wires.fields import READ, no_commands, view_of, written
from tests.support.bridge.wires.wire import View, Wire


class Modbus(Wire):
    modes: tuple[Mode, ...] = ("free-running", "dequeue")
    handshakes = holds = True
    order: WordOrder = "high-first"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.patches.enter_context(patch.object(modbus, "time", clock))
        self._inputs = documented.modbus("Input registers: the PLC reads")
        self._holding = documented.modbus("Holding registers: the PLC writes")

    def start(self, feed: Feed) -> list[Inputs]:
        super().start(feed)
        self._registers = modbus.Registers(feed, no_commands(), self.order)
        self._fields: dict[str, int] = {}
        self._hold = self._resets = False
        self._seen = self._beat = 0
        return []

    def look(self) -> View:
        read = _now(self._registers.async_getValues(1, 4, 0, 62))
        found = {name: self._value(read, self._inputs[name]) for name in READ}
        assert found["heartbeat"] != self._beat, "the bridge is alive"
        self._beat, self._seen = found["heartbeat"], found["inspection_id"]
        bits = _now(self._registers.async_getValues(1, 2, 0, 7))
        status = [bool(found["status"] >> bit & 1) for bit in range(7)]
        assert bits == status
        return view_of(found, self._fields)

    def _value(self, registers: list[int], place: documented.Place) -> int:
        words = registers[place.at : place.at + place.size]
        if self.order == "low-first":
            words.reverse()
        return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big")

    def write(self, inputs: Inputs) -> list[Inputs]:
        """Registers first, then coils, each in one request."""
        fields, said = written(inputs)
        values = [0] * 4
        for name, value in fields.items():
            at, count = self._holding[name]
            words = [value >> 16, value & 0xFFFF][2 - count :]
            values[at : at + count] = words if self.order == "high-first" else words[::-1]
        _now(self._registers.async_setValues(1, 16, 0, values))
        first = self._with_coils(said)
        taken = inputs.hold and not self._hold and self._seen
        both = inputs.reset and inputs.counter_reset
        self._hold, self._resets = inputs.hold, both
        _now(self._registers.async_setValues(1, 15, 0, [False, inputs.hold, both, False]))
        acknowledged = self._seen if taken else said.acknowledged
        second = self._with_coils(Inputs(said.heartbeat, acknowledged, said.reset,
                                         said.counter_reset))  # fmt: skip
        self._fields = fields | {"results_ack": acknowledged}
        return [first, second]

    def _with_coils(self, said: Inputs) -> Inputs:
        return Inputs(said.heartbeat, said.acknowledged, said.reset or self._resets,
                      said.counter_reset, self._hold)  # fmt: skip


class ModbusLowFirst(Modbus):
    order: WordOrder = "low-first"


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
