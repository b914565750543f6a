"""snap7's server as a Siemens PLC."""

import time
from collections.abc import Callable
from typing import Any

from snap7.server import Server
from snap7.type import SrvArea

from edge.bridge.protocols.register_docs import SIGNALS
from edge.bridge.protocols.registers import READ, WRITE, nothing_written, pack, size, unpack
from tests.support.ports import free_ports

BLOCK = 100


class S7Plc:
    """A PLC with one data block, whose program runs when it is asked to."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.data = bytearray(SIGNALS + 2 * size(READ))
        self._beat = self.acknowledged = 0
        self.command = self.product = 0
        self.trigger: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self._server = Server(log=False)
        self._server.register_area(SrvArea.DB, BLOCK, self.data)
        self._server.start(self.port)

    def stop(self) -> None:
        self._server.stop()

    def read(self) -> dict[str, int]:
        raw = self.data[SIGNALS:]
        words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        return unpack(READ, words, "high-first")

    def write(self) -> None:
        self._beat += 1
        values = nothing_written() | {
            "plc_heartbeat": self._beat, "results_ack": self.acknowledged,
            "command": self.command, "product_wanted": self.product,
        } | self.trigger  # fmt: skip
        words = pack(WRITE, values, "high-first")
        self.data[: 2 * len(words)] = b"".join(word.to_bytes(2, "big") for word in words)

    def until(self, due: Callable[[dict[str, int]], Any], seconds: float = 10) -> dict[str, int]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.write()
            if due(found := self.read()):
                return found
            time.sleep(0.005)
        raise AssertionError(f"not within {seconds} s, the last was {found}")
