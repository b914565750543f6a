"""`draem bridge modbus` in a process of its own, and pymodbus's client as the PLC."""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pymodbus.client import ModbusTcpClient

from edge.bridge.protocols.registers import (
    BITS,
    COILS,
    READ,
    WRITE,
    nothing_written,
    pack,
    size,
    unpack,
)
from tests.support.ports import free_ports


def triggering(trigger_id: int, encoder: int, part: bytes) -> dict[str, int]:
    """What a PLC writes for a trigger."""
    number = int.from_bytes(part.ljust(32, b"\0"), "big")
    return {"trigger_new": trigger_id, "trigger_encoder": encoder, "trigger_part_id": number}


class Plc:
    """A PLC that polls the whole map in one request and counts its heartbeat."""

    def __init__(self, port: int) -> None:
        self._client = ModbusTcpClient("127.0.0.1", port=port, timeout=2)
        self._beat = self.acknowledged = 0
        self._trigger: dict[str, int] = {}

    def trigger(self, trigger_id: int, encoder: int = 0, part: bytes = b"") -> None:
        """A part is under the camera; it stays written in each cycle."""
        self._trigger = triggering(trigger_id, encoder, part)
        self.write()

    def read(self) -> dict[str, int]:
        assert self._client.connect()
        answer = self._client.read_input_registers(0, count=size(READ))
        assert not answer.isError(), answer
        return unpack(READ, answer.registers, "high-first")

    def write(self, command: int = 0, product: int = 0) -> None:
        assert self._client.connect()
        self._beat += 1
        values = nothing_written() | {
            "plc_heartbeat": self._beat, "results_ack": self.acknowledged, "command": command,
            "product_wanted": product,
        } | self._trigger  # fmt: skip
        answer = self._client.write_registers(0, pack(WRITE, values, "high-first"))
        assert not answer.isError(), answer

    def bits(self) -> dict[str, bool]:
        """The discrete inputs."""
        assert self._client.connect()
        answer = self._client.read_discrete_inputs(0, count=len(BITS))
        assert not answer.isError(), answer
        return {bit.name: found for bit, found in zip(BITS, answer.bits, strict=False)}

    def set(self, **coils: bool) -> None:
        """Write all coils, those not named as 0, with the heartbeat counting."""
        assert self._client.connect()
        self._beat += 1
        said = {"heartbeat_coil": self._beat % 2 == 1, **coils}
        answer = self._client.write_coils(0, [said.get(coil.name, False) for coil in COILS])
        assert not answer.isError(), answer

    def until(
        self,
        due: Callable[[dict[str, int]], Any],
        seconds: float = 10,
        command: int = 0,
        product: int = 0,
    ) -> dict[str, int]:
        """Scan until what is read is due, the command written again in each cycle."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.write(command, product)
            found = self.read()
            if due(found):
                return found
        raise AssertionError(f"not within {seconds} s, the last was {found}")

    def close(self) -> None:
        self._client.close()


class Bridge:
    """`draem bridge modbus` in a process of its own."""

    def __init__(self, endpoint: str, *words: str) -> None:
        self.port = free_ports(1)[0]
        command = [sys.executable, "-m", "draem", "bridge", "modbus", "--endpoint", endpoint]
        self._data = TemporaryDirectory()
        self.data = Path(self._data.name)
        listen = ["--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        self.process = subprocess.Popen(
            [*command, *listen, *words], stderr=subprocess.PIPE, text=True
        )
        self.plc = Plc(self.port)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the bridge does not listen")

    def close(self) -> str:
        self.plc.close()
        self.process.terminate()
        _, said = self.process.communicate(timeout=10)
        self._data.cleanup()
        return str(said)


def valid(found: dict[str, int]) -> bool:
    return bool(found["status"] & 16)


def ended(found: dict[str, int], trigger_id: int) -> bool:
    """Whether the bridge has answered to a trigger."""
    failed = found["trigger_seen"] == trigger_id and bool(found["trigger_failed"])
    return found["trigger_given"] == trigger_id or failed


def serves(bridge: Bridge) -> None:
    """New verdicts still come."""
    first = bridge.plc.until(valid)["inspection_id"]
    bridge.plc.until(lambda v: valid(v) and v["inspection_id"] > first, 3)


@contextmanager
def connected(bridge: Bridge) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=3) as connection:
        yield connection


def frame(pdu: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    """A Modbus TCP request; `length` may lie."""
    said = len(pdu) + 1 if length is None else length
    return struct.pack(">HHHB", 1, protocol, said, 1) + pdu


def split_up(requests: list[bytes], size: int) -> list[bytes]:
    """All requests in pieces that end anywhere."""
    data = b"".join(requests)
    return [data[i : i + size] for i in range(0, len(data), size)]


def answers(connection: socket.socket, count: int) -> Iterator[tuple[int, bytes]]:
    """Number and PDU of so many answers."""
    with connection.makefile("rb") as stream:
        for _ in range(count):
            number, _, length, _ = struct.unpack(">HHHB", stream.read(7))
            yield number, stream.read(length - 1)
