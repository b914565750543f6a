"""S7: the gate's signals written into a data block of a Siemens PLC, its answers read from it.

The bridge is the client (python-snap7); the block is not optimised, and the PLC permits PUT/GET. At
its start lies what the PLC writes, from byte `SIGNALS` on what the bridge does: the same fields as
over Modbus, each register two bytes, high byte first. The block as a type is printed by
`edge.bridge.protocols.register_docs.scl`.
"""

import logging
from dataclasses import dataclass

from snap7.client import Client
from snap7.error import S7Error

from edge.bridge.protocols.plc_memory import PlcMemory
from edge.bridge.protocols.register_docs import SIGNALS
from edge.bridge.protocols.registers import READ, WRITE, offset, pack, size, unpack
from edge.bridge.tcp import drop_stale_data

HEARTBEAT = SIGNALS + 2 * offset(READ, "heartbeat")


@dataclass(frozen=True)
class Plc:
    """Where the data block is."""

    host: str
    port: int
    rack: int
    slot: int
    block: int


class Block(PlcMemory):
    """The data block."""

    wire, errors = "S7", (S7Error, OSError)

    def __init__(self, plc: Plc) -> None:
        super().__init__(f"DB{plc.block} of the PLC at {plc.host}", "--block")
        logging.getLogger("snap7").setLevel(logging.CRITICAL)  # says all that we say, and each try
        self.client, self._plc = Client(), plc

    @property
    def connected(self) -> bool:
        return self.client.get_connected()

    def _open(self) -> None:
        plc = self._plc
        self.client.connect(plc.host, plc.rack, plc.slot, plc.port)
        if self.client.connection is not None:
            drop_stale_data(self.client.connection.socket)

    def close(self) -> None:
        self.client.disconnect()

    drop = close

    def _read(self) -> tuple[dict[str, int], int]:
        raw = self.client.db_read(self._plc.block, 0, HEARTBEAT + 2)
        written = unpack(WRITE, _words(raw[: 2 * size(WRITE)]), "high-first")
        return written, int.from_bytes(raw[HEARTBEAT:], "big")

    def _write(self, values: dict[str, int]) -> None:
        """In one write, so that they are of one moment."""
        registers = pack(READ, values, "high-first")
        data = bytearray(b"".join(word.to_bytes(2, "big") for word in registers))
        self.client.db_write(self._plc.block, SIGNALS, data)

    def explain(self, error: Exception) -> str:
        return (
            f"{self.place}:{self._plc.port} cannot be exchanged with ({error}): is it there, not "
            "optimised, and is PUT/GET permitted?"
        )


def _words(raw: bytes | bytearray) -> list[int]:
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
