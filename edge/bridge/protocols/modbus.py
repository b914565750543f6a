"""Modbus TCP: the gate's signals as registers that a PLC polls (pymodbus).

Input registers and discrete inputs hold what the line says, holding registers and coils what the
PLC writes. docs/plc/modbus.md has the map (edge/bridge/protocols/registers.py). Each answer is made
at one time: it is encoded for each request, so no value of several registers is torn.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.base.tcp import keep_alive
from edge.bridge.feed import BridgeError, Feed
from edge.bridge.plc_commands import PlcCommand
from edge.bridge.protocols.modbus_requests import (
    BIT_FUNCTIONS,
    DISCRETE_INPUTS,
    INPUT_REGISTERS,
    READS,
    WRITES,
    ModbusRequest,
    is_illegal_value,
    split,
)
from edge.bridge.protocols.registers import (
    COILS,
    READ,
    WRITE,
    WordOrder,
    bits_of,
    inputs_of,
    offset,
    pack,
    size,
    trigger_of,
    unpack,
    values_of,
)

log = logging.getLogger(__name__)

ID = offset(READ, "inspection_id")
COMMAND, TRIGGER = offset(WRITE, "command"), offset(WRITE, "trigger_new")
ACK_COIL = [bit.name for bit in COILS].index("ack_coil")
UNSENT_BYTES = 16_384  # a client that never reads its answers is cut off beyond this

reader: ContextVar[str] = ContextVar("reader", default="")
"""The address of the PLC whose request is answered; empty for all who may only read."""


class Registers:
    """What pymodbus asks for and writes, in the place of its own data store.

    The coils are another way to say what the holding registers say: the acknowledging coil writes
    `results_ack`, with the id that this PLC has read last.
    """

    def __init__(self, feed: Feed, command: PlcCommand, order: WordOrder) -> None:
        self._feed, self._command, self._order = feed, command, order
        self._heartbeat = 0
        self._written = [0] * size(WRITE)
        self._coils = [False] * len(COILS)
        self._shown: dict[str, int] = {}  # the id that was read last, by the reader's address

    def device_ids(self) -> list[int]:
        """One device, whatever id it is asked by."""
        return [0]

    async def async_getValues(
        self, device_id: int, function: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """A part of a map of this moment."""
        found: list[int] | list[bool] = self._written
        if function in (INPUT_REGISTERS, DISCRETE_INPUTS):
            found = self._look(function, address, count)
        elif function in BIT_FUNCTIONS:
            found = self._coils
        if address + count > len(found):
            return ExcCodes.ILLEGAL_ADDRESS
        return found[address : address + count]

    async def async_setValues(
        self, device_id: int, function: int, address: int, values: list[Any]
    ) -> ExcCodes | None:
        """What the PLC writes."""
        target: list[Any] = self._coils if function in BIT_FUNCTIONS else self._written
        if address + len(values) > len(target):
            return ExcCodes.ILLEGAL_ADDRESS
        before = self._coils[ACK_COIL]
        target[address : address + len(values)] = values
        if self._coils[ACK_COIL] and not before:
            self._take(self._shown.get(reader.get(), 0))
        written = self._unpacked()
        self._feed.plc(inputs_of(written, self._coils))
        if function not in BIT_FUNCTIONS and address <= COMMAND < address + len(values):
            self._command.set_command(written["command"], written["product_wanted"])
        # Half of an id would be another id.
        if function not in BIT_FUNCTIONS and address <= TRIGGER < address + len(values) - 1:
            self._command.set_trigger(*trigger_of(written))
        return None

    def _unpacked(self) -> dict[str, int]:
        return unpack(WRITE, self._written, self._order)

    def _take(self, inspection_id: int) -> None:
        """Acknowledge what was read; a result that nobody has read is never taken."""
        if inspection_id:
            written = self._unpacked() | {"results_ack": inspection_id}
            self._written[:] = pack(WRITE, written, self._order)

    def _look(self, function: int, address: int, count: int) -> list[int] | list[bool]:
        now, signals = time.monotonic(), self._feed.signals()
        if function == DISCRETE_INPUTS or address <= ID < address + count:
            self._shown[reader.get()] = signals.inspection_id
        if function == DISCRETE_INPUTS:
            return bits_of(signals, now)
        self._heartbeat += 1
        answer = self._command.answer()
        return pack(
            READ, values_of(signals, self._heartbeat, now, self._unpacked(), answer), self._order
        )


class Handler(ServerRequestHandler):
    """One client: only a PLC may write, and one that does not read is cut off."""

    def __init__(self, server: "Server") -> None:
        super().__init__(server, None, None, None)
        self._may_write, self._warned = server.may_write, False
        self._received = b""  # pymodbus's own buffer is emptied by each answer
        self._requests: asyncio.Queue[ModbusRequest] = asyncio.Queue()

    def callback_connected(self) -> None:
        """What a client does not read is kept in little memory, here and in the kernel."""
        super().callback_connected()
        self._answering = self.loop.create_task(self._answer_all())
        connection = self._connection.get_extra_info("socket")
        keep_alive(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
        self._connection.set_write_buffer_limits(UNSENT_BYTES)

    def callback_disconnected(self, exc: Exception | None) -> None:
        super().callback_disconnected(exc)
        self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        """Take all requests of what has come; the rest waits for its end."""
        try:
            requests, used = split(self._received + data)
        except ValueError as error:
            log.warning("%s is cut off: %s", self._peer(), error)
            self._connection.abort()
            return
        self._received = (self._received + data)[used:]
        for request in requests:
            self._requests.put_nowait(request)
        if requests:
            self._connection.pause_reading()  # until they are answered

    async def _answer_all(self) -> None:
        """In their order; other clients are served in between."""
        while True:
            request = await self._requests.get()
            answer = await self._answer(request)
            answer.transaction_id, answer.dev_id = request.transaction, request.unit
            self._connection.write(self.framer.buildFrame(answer))
            if self._requests.empty():
                self._connection.resume_reading()
            await asyncio.sleep(0)

    async def _answer(self, request: ModbusRequest) -> ModbusPDU:
        """Answer, or refuse: what a stranger writes, and what the standard does not allow."""
        function, trusted = request.function, self._may_write(self._peer())
        if function in WRITES and not trusted and not self._warned:
            self._warned = True
            log.warning("%s tried to write and may not: name it with --plc", self._peer())
        if not (function in READS or (function in WRITES and trusted)):
            return ExceptionResponse(function & 0x7F, ExcCodes.ILLEGAL_FUNCTION)
        decoded = self.framer.decoder.decode(request.pdu)
        if decoded is None or is_illegal_value(request.pdu):
            return ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
        reader.set(self._peer() if trusted else "")
        try:
            return await decoded.datastore_update(self.server.context, request.unit)
        except Exception:
            log.exception("a request of %s cannot be answered", self._peer())
            return ExceptionResponse(function, ExcCodes.DEVICE_FAILURE)

    @property
    def _connection(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def pause_writing(self) -> None:
        """asyncio says that more is unsent than shall be kept."""
        log.warning("%s does not read its answers: cut off", self._peer())
        self._connection.abort()

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


async def serve(
    feed: Feed, command: PlcCommand, host: str, port: int, plcs: Sequence[str], order: WordOrder
) -> Server:
    """A server that is listening. Raises BridgeError where it cannot."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # says all that we say
    server = Server((host, port), Registers(feed, command, order), lambda peer: peer in plcs)
    try:
        await server.serve_forever(background=True)
    except (RuntimeError, OSError) as error:
        raise BridgeError(
            f"cannot listen on {host}:{port} ({error}): another program (perhaps a bridge) has the "
            "port, the address is not of this machine, or a port below 1024 needs root's rights: "
            "choose another --listen"
        ) from error
    return server
