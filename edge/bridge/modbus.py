"""Modbus TCP: the gate's signals as registers that a PLC polls (pymodbus).

Input registers hold what the line says, holding registers what the PLC writes. docs/plc.md has the
map (edge/bridge/registers.py). An answer is of one moment: it is made anew for each request,
so no value of several registers is torn.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.registers import READ, WRITE, WordOrder, inputs_of, pack, size, unpack, values_of

log = logging.getLogger(__name__)

READS, WRITES = (3, 4), (6, 16)
UNSENT_BYTES = 16_384  # a client that never reads its answers is cut off beyond this


class Registers:
    """What pymodbus asks for and writes, in the place of its own data store."""

    def __init__(self, feed: Feed, order: WordOrder) -> None:
        self._feed, self._order = feed, order
        self._heartbeat = 0
        self._written = [0] * size(WRITE)

    def device_ids(self) -> list[int]:
        """One device, whatever id it is asked by."""
        return [0]

    async def async_getValues(
        self, device_id: int, function: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """A part of a map of this moment."""
        if function not in (*READS, *WRITES):
            return ExcCodes.ILLEGAL_FUNCTION
        registers = self._read() if function == 4 else self._written
        if address + count > len(registers):
            return ExcCodes.ILLEGAL_ADDRESS
        return registers[address : address + count]

    async def async_setValues(
        self, device_id: int, function: int, address: int, values: list[int]
    ) -> ExcCodes | None:
        """What the PLC writes."""
        if function not in WRITES:
            return ExcCodes.ILLEGAL_FUNCTION
        if address + len(values) > len(self._written):
            return ExcCodes.ILLEGAL_ADDRESS
        self._written[address : address + len(values)] = values
        self._feed.plc(inputs_of(unpack(WRITE, self._written, self._order)))
        return None

    def _read(self) -> list[int]:
        self._heartbeat += 1
        acknowledged = unpack(WRITE, self._written, self._order)["results_ack"]
        values = values_of(self._feed.signals(), self._heartbeat, acknowledged)
        return pack(READ, values, self._order)


class Handler(ServerRequestHandler):
    """One client: only a PLC may write, and one that does not read is cut off."""

    def __init__(self, server: "Server") -> None:
        super().__init__(server, None, None, None)
        self._may_write = server.may_write

    def callback_connected(self) -> None:
        """What a client does not read is kept in little memory, here and in the kernel."""
        super().callback_connected()
        if self.transport:
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
            cast(asyncio.Transport, self.transport).set_write_buffer_limits(UNSENT_BYTES)

    async def handle_request(self) -> None:
        """Answer, or refuse to write for a stranger."""
        pdu = self.last_pdu
        if pdu and pdu.function_code not in READS and not self._may_write(self._peer()):
            log.warning("%s tried to write and may not: name it with --plc", self._peer())
            refusal = ExceptionResponse(pdu.function_code, ExcCodes.ILLEGAL_FUNCTION)
            refusal.transaction_id, refusal.dev_id = pdu.transaction_id, pdu.dev_id
            self.server_send(refusal, self.last_addr)
            return
        await super().handle_request()

    def pause_writing(self) -> None:
        """asyncio says that more is unsent than shall be kept."""
        log.warning("%s does not read its answers: cut off", self._peer())
        cast(asyncio.Transport, self.transport).abort()

    def _peer(self) -> str:
        peer = self.transport.get_extra_info("peername") if self.transport else None
        return str(peer[0]) if peer else "?"


class Server(ModbusTcpServer):
    """pymodbus's server over our registers. Raises BridgeError where it cannot listen."""

    def __init__(
        self, address: tuple[str, int], registers: Registers, may_write: Callable[[str], bool]
    ) -> None:
        # It insists on a data store of its own; ours takes its place.
        unused = SimDevice(0, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)])
        super().__init__(unused, address=address)
        self.context = cast(Any, registers)
        self.may_write = may_write

    def callback_new_connection(self) -> Handler:
        """pymodbus asks for whoever serves a client."""
        return Handler(self)


async def serve(feed: Feed, host: str, port: int, plcs: Sequence[str], order: WordOrder) -> Server:
    """A server that is listening. Raises BridgeError where it cannot."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # says all that we say
    server = Server((host, port), Registers(feed, order), lambda peer: peer in plcs)
    try:
        await server.serve_forever(background=True)
    except (RuntimeError, OSError) as error:
        raise BridgeError(
            f"cannot listen on {host}:{port} ({error}): another program has it, or it needs "
            "root's rights (below 1024): choose another --listen"
        ) from error
    return server
