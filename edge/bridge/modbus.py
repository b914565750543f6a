"""Modbus TCP: the gate's signals as registers that a PLC polls (pymodbus).

Input registers hold what the line says, holding registers what the PLC writes. docs/plc.md has the
map; `READ` and `WRITE` below are it. An answer is of one moment: it is made anew for each request,
so no value of several registers is torn.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.gate import COUNTED, Inputs, Signals

log = logging.getLogger(__name__)

WordOrder = Literal["high-first", "low-first"]
VERDICTS = {"OK": 1, "NG": 2, "NO_VERDICT": 3}
SCORE_SCALE = 10_000
READS, WRITES = (3, 4), (6, 16)
UNSENT_BYTES = 16_384  # a client that never reads its answers is cut off beyond this
MAP_VERSION = 1


class Field(NamedTuple):
    """A value of one (16 bit) or two registers (32 bit)."""

    name: str
    words: int
    text: str


READ = (
    Field("map", 1, "version of this map"),
    Field("heartbeat", 1, "counts up with every answer: the bridge is alive"),
    Field("status", 1, "bit 0 Online, 1 Ready, 2 Busy, 3 Fault, 4 Results Valid"),
    Field("trouble", 1, "why there is no valid result; 0 where nothing is wrong"),
    Field("inspection_id", 2, "of the result offered; 0: none"),
    Field("trigger_id", 2, "of the part; 0: none"),
    Field("encoder", 2, "count at the trigger, signed; 0 where there is none"),
    Field("verdict", 1, "1 OK, 2 NG; 2 whenever there is no valid result"),
    Field("score", 1, f"0 to {SCORE_SCALE}, the score times {SCORE_SCALE}"),
    Field("threshold", 1, "in the same scale"),
    Field("regions", 1, "number of defects"),
    Field("box_x", 1, "of the largest defect, in camera pixels"),
    Field("box_y", 1, ""),
    Field("box_width", 1, ""),
    Field("box_height", 1, ""),
    Field("area", 2, "of the largest defect, in camera pixels"),
    Field("product", 1, "version of the product that judged"),
    Field("backlog", 1, "results that wait (dequeue)"),
    Field("acknowledged", 2, "the id that the PLC took last, as it was received"),
    *(Field(name, 2, "since the start of the bridge or the last reset") for name in COUNTED),
)
WRITE = (
    Field("plc_heartbeat", 1, "count up in every cycle"),
    Field("results_ack", 2, "the inspection id that was taken last"),
    Field("command", 1, "1 resets the counters; 0 between two commands"),
)


def size(fields: Sequence[Field]) -> int:
    """Registers of a map."""
    return sum(field.words for field in fields)


def table(fields: Sequence[Field]) -> str:
    """The map in Markdown, as docs/plc.md has it; addresses count from 0."""
    lines, at = ["| address | name | registers | what |", "|---|---|---|---|"], 0
    for name, words, text in fields:
        lines.append(f"| {at} | {name} | {words} | {text} |")
        at += words
    return "\n".join(lines)


def pack(fields: Sequence[Field], values: dict[str, int], order: WordOrder) -> list[int]:
    """The registers of a map. Values that do not fit are bounded; negative ones are two's."""
    registers = []
    for name, words, _ in fields:
        bits = 16 * words
        value = min(max(values[name], -(1 << (bits - 1))), (1 << bits) - 1) % (1 << bits)
        parts = [value >> 16, value & 0xFFFF] if words == 2 else [value]
        registers += parts if order == "high-first" else parts[::-1]
    return registers


def unpack(fields: Sequence[Field], registers: Sequence[int], order: WordOrder) -> dict[str, int]:
    """The unsigned values of a map."""
    values, at = {}, 0
    for name, words, _ in fields:
        parts = registers[at : at + words]
        high_first = parts if order == "high-first" else parts[::-1]
        values[name] = sum(part << (16 * i) for i, part in enumerate(reversed(high_first)))
        at += words
    return values


def values_of(signals: Signals, heartbeat: int, acknowledged: int) -> dict[str, int]:
    """What each field of READ holds."""
    result = signals.result
    region = result.regions[0] if result and result.regions else None
    x, y, width, height = region.box if region else (0, 0, 0, 0)
    fault = signals.trouble != 0
    bits = (signals.online, signals.ready, signals.backlog > 0, fault, signals.results_valid)
    return {
        "map": MAP_VERSION,
        "heartbeat": heartbeat % 65536,
        "status": sum(bool(bit) << i for i, bit in enumerate(bits)),
        "trouble": int(signals.trouble),
        "inspection_id": signals.inspection_id,
        "trigger_id": (result.trigger_id or 0) if result else 0,
        "encoder": (result.encoder or 0) if result else 0,
        "verdict": VERDICTS[signals.verdict],
        "score": _scaled(result.score if result else None),
        "threshold": _scaled(result.threshold if result else None),
        "regions": len(result.regions) if result else 0,
        "box_x": x, "box_y": y, "box_width": width, "box_height": height,
        "area": region.area if region else 0,
        "product": int(result.version) if result else 0,
        "backlog": signals.backlog,
        "acknowledged": acknowledged,
        **signals.counts,
    }  # fmt: skip


def _scaled(value: float | None) -> int:
    return round(value * SCORE_SCALE) if value is not None else 0


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
        said = unpack(WRITE, self._written, self._order)
        self._feed.plc(Inputs(said["plc_heartbeat"], said["results_ack"], said["command"] == 1))
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
    server = Server((host, port), Registers(feed, order), lambda peer: peer in plcs)
    try:
        await server.serve_forever(background=True)
    except (RuntimeError, OSError) as error:
        raise BridgeError(
            f"cannot listen on {host}:{port} ({error}): another program has it, or it needs "
            "root's rights (below 1024): choose another --listen"
        ) from error
    return server
