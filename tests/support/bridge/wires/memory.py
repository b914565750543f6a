"""S7 and EtherNet/IP: the bridge reads and writes the memory of a PLC, which stays when it ends."""

import struct
from abc import abstractmethod
from collections.abc import Mapping
from threading import Event
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from edge.bridge.feed import Feed
from edge.bridge.gate import Mode
from edge.bridge.protocols import ethernet_ip, plc_memory, s7
from edge.bridge.signals import Inputs
from tests.support.bridge.gate_model import Clock
from tests.support.bridge.wires import documented
from tests.support.bridge.wires.fields import READ, no_commands, view_of, written
from tests.support.bridge.wires.wire import View, Wire


class Memory(Wire):
    modes: tuple[Mode, ...] = ("free-running", "dequeue")
    handshakes = loses_connection = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.patches.enter_context(patch.object(plc_memory, "time", clock))
        self._connected, self._beat = False, -1
        self._said, self._fields = Inputs(), dict[str, int]()
        self.lose_memory()

    @abstractmethod
    def _made(self) -> plc_memory.PlcMemory: ...

    @abstractmethod
    def _read(self) -> dict[str, int] | None:
        """What the PLC's program takes of its memory; None where it must keep what it had."""

    @abstractmethod
    def _say(self, fields: Mapping[str, int]) -> None: ...

    def start(self, feed: Feed) -> list[Inputs]:
        super().start(feed)
        self._memory, self._commands = self._made(), no_commands()
        self.find_connection()
        self._exchange()
        return [self._said]

    def find_connection(self) -> None:
        self._memory.drop()
        self._memory.connect()
        self._connected = True

    def lose_connection(self) -> None:
        self._connected = False

    def _exchange(self) -> None:
        plc_memory.exchange(self._memory, self.feed, self._commands, self.clock.s)

    def look(self) -> View | None:
        if self._connected:
            self._exchange()
        found = self._read()
        assert found is not None, "no write is torn here"
        beat, self._beat = self._beat, found["heartbeat"]
        if found["heartbeat"] == beat:
            return None
        return view_of(found, self._fields)

    def write(self, inputs: Inputs) -> list[Inputs]:
        self._fields, self._said = written(inputs)
        self._say(self._fields)
        self._exchange()
        return [self._said]

    def end(self) -> None:
        plc_memory.run(self._memory, self.feed, self._commands, lambda: True, Event())
        self._connected = False

    def reads_ok(self) -> bool:
        found = self._read()
        return found is None or bool(found["status"] >> 4 & 1) or found["verdict"] == 1

    def lose_memory(self) -> None:
        self._said, self._fields, self._beat = Inputs(), {}, -1


class S7(Memory):
    def _made(self) -> plc_memory.PlcMemory:
        block = s7.Block(s7.Plc("192.0.2.1", 102, 0, 1, 100))
        block.client = cast(Any, _S7Client(self._bytes))
        return block

    def lose_memory(self) -> None:
        super().lose_memory()
        if not hasattr(self, "_bytes"):
            self._bytes = bytearray(188)
        self._bytes[:] = bytes(188)

    def _read(self) -> dict[str, int]:
        places = documented.s7()
        return {
            name: int.from_bytes(self._bytes[places[name].at :][: places[name].size], "big")
            for name in READ
        }

    def _say(self, fields: Mapping[str, int]) -> None:
        for name, value in fields.items():
            at, count = documented.s7()[name]
            self._bytes[at : at + count] = value.to_bytes(count, "big")


class _S7Client:
    """snap7's client, over memory."""

    def __init__(self, data: bytearray) -> None:
        self._data, self._connected, self.connection = data, False, None

    def connect(self, *where: Any) -> None:
        self._connected = True

    def get_connected(self) -> bool:
        return self._connected

    def disconnect(self) -> None:
        self._connected = False

    def db_read(self, block: int, start: int, count: int) -> bytearray:
        assert block == 100
        return bytearray(self._data[start : start + count])

    def db_write(self, block: int, start: int, data: bytearray) -> None:
        assert block == 100
        assert start + len(data) <= len(self._data)
        self._data[start : start + len(data)] = data


class EthernetIp(Memory):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.patches.enter_context(patch.object(ethernet_ip, "drop_stale_data", lambda _: None))
        self.patches.enter_context(
            patch.object(ethernet_ip, "_client", lambda _: _Logix(self._dints))
        )

    def _made(self) -> plc_memory.PlcMemory:
        return ethernet_ip.Tag(ethernet_ip.Controller("192.0.2.1", 44818, 0, "draem"))

    def lose_memory(self) -> None:
        super().lose_memory()
        if not hasattr(self, "_dints"):
            self._dints = [0] * 58
        self._dints[:] = [0] * 58

    def _read(self) -> dict[str, int] | None:
        places, copy = documented.ethernet_ip(), self._dints
        if copy[places["check"].at] != copy[places["heartbeat"].at]:
            return None
        return {name: copy[places[name].at] % 2**32 for name in READ}

    def _say(self, fields: Mapping[str, int]) -> None:
        for name, value in fields.items():
            signed = struct.unpack("<i", value.to_bytes(4, "little"))[0]
            self._dints[documented.ethernet_ip()[name].at] = signed


class _Logix:
    """pylogix's client, over an array."""

    def __init__(self, dints: list[int]) -> None:
        self._dints, self.KnownTags = dints, {"draem": (0xC4, 0)}
        self.conn = SimpleNamespace(
            SocketConnected=False, connect=self._connect, Socket=SimpleNamespace(close=lambda: None)
        )

    def _connect(self) -> tuple[bool, str]:
        self.conn.SocketConnected = True
        return True, ""

    def Close(self) -> None:
        self.conn.SocketConnected = False

    def Read(self, name: str, count: int = 1) -> SimpleNamespace:
        at = _index(name)
        return SimpleNamespace(Status="Success", Value=self._dints[at : at + count])

    def Write(self, services: list[tuple[str, Any, int]]) -> list[SimpleNamespace]:
        for name, values, kind in services:
            assert kind == 0xC4
            data = values if isinstance(values, list) else [values]
            at = _index(name)
            assert at + len(data) <= len(self._dints)
            self._dints[at : at + len(data)] = data
        return [SimpleNamespace(Status="Success") for _ in services]


def _index(name: str) -> int:
    tag, _, index = name.rstrip("]").partition("[")
    assert tag == "draem"
    return int(index or 0)
