"""S7: the gate's signals written into a data block of a Siemens PLC, its answers read from it.

The bridge is the client (python-snap7); the block is not optimised, and the PLC permits PUT/GET. At
its start lies what the PLC writes, from byte `SIGNALS` on what the bridge does: the same fields as
over Modbus, each register two bytes, high byte first. The block as a type is printed by
`edge.bridge.protocols.register_docs.scl`.

Nothing in the protocol keeps two bridges from writing into one block, where a PLC would take the
verdicts of one station for those of another. So a bridge reads the block's heartbeat back: if it
is not its own, and counts on while this bridge writes nothing, there is another, and this one ends.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from snap7.client import Client
from snap7.error import S7ConnectionError, S7Error

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.protocols.register_docs import SIGNALS
from edge.bridge.protocols.registers import (
    READ,
    WRITE,
    inputs_of,
    nothing_written,
    offset,
    pack,
    size,
    trigger_of,
    unpack,
    values_of,
)
from edge.bridge.signals import Signals
from edge.bridge.tcp import drop_stale_data

log = logging.getLogger(__name__)

CYCLE_S = 0.01
AGAIN_S = (0.5, 5.0)
"""Seconds until the next try to connect: the first, and the longest."""
ALONE_S = 0.5  # another bridge counts its heartbeat at least once in this time
HEARTBEAT = SIGNALS + 2 * offset(READ, "heartbeat")


@dataclass(frozen=True)
class Plc:
    """Where the data block is."""

    host: str
    port: int
    rack: int
    slot: int
    block: int


def run(feed: Feed, command: PlcCommand, plc: Plc, stopped: Callable[[], bool]) -> None:
    """Exchange with the PLC in every cycle, reconnecting for ever, until `stopped()`.

    At the end the block holds no valid result. Raises BridgeError where the PLC has no such block,
    was never reached, or where another bridge writes into the block.
    """
    logging.getLogger("snap7").setLevel(logging.CRITICAL)  # says all that we say, and each try
    block, wait_s = Block(plc), 0.0
    ever, read_s = False, time.monotonic()
    while not stopped():
        try:
            if not block.client.get_connected():
                if ever and not wait_s:
                    raise S7ConnectionError("it has closed the connection")
                time.sleep(min(wait_s, AGAIN_S[1]))
                wait_s = max(AGAIN_S[0], 2 * wait_s)
                block.connect()
            begun_s = time.monotonic()
            exchange(block, feed, command, read_s)
            read_s = begun_s
            if not ever or wait_s:
                log.info("S7: exchanging with DB%d of %s", plc.block, plc.host)
            ever, wait_s = True, 0.0
        except (S7Error, OSError) as error:
            if not ever:
                raise BridgeError(
                    f"DB{plc.block} of the PLC at {plc.host}:{plc.port} cannot be exchanged with "
                    f"({error}): is it there, not optimised, and is PUT/GET permitted?"
                ) from error
            if not wait_s:
                log.warning("the PLC has gone (%s): connecting again", error)
                wait_s = AGAIN_S[0]
            block.client.disconnect()
            continue
        time.sleep(CYCLE_S)
    _end(block, feed)


class Block:
    """The data block over a connection. Its methods raise S7Error or OSError."""

    def __init__(self, plc: Plc) -> None:
        self.client, self._plc = Client(), plc
        self._heartbeat = 0  # as it was written last
        self._warned = False

    def connect(self) -> None:
        """Raises BridgeError where another bridge writes into the block."""
        plc = self._plc
        self.client.connect(plc.host, plc.rack, plc.slot, plc.port)
        if self.client.connection is not None:
            drop_stale_data(self.client.connection.socket)
        self._check_alone()

    def _check_alone(self) -> None:
        self._heartbeat = before = self._read()[1]
        time.sleep(ALONE_S)
        if self._read()[1] != before:
            raise BridgeError(
                f"another bridge writes into DB{self._plc.block} of the PLC at {self._plc.host}: "
                "stop that one, or give this one another --block"
            )

    def read(self) -> dict[str, int]:
        """What the PLC says now. Raises BridgeError where another bridge writes into the block."""
        written, heartbeat = self._read()
        if heartbeat != self._heartbeat:
            self._check_alone()  # a PLC that loads its start values changes it once
            if not self._warned:
                text = (
                    "the PLC has changed what the bridge wrote into DB%d: does its program write?"
                )
                log.warning(text, self._plc.block)
            self._warned = True
            written, _ = self._read()
        return written

    def _read(self) -> tuple[dict[str, int], int]:
        """What the PLC says now, and the heartbeat that it has of a bridge."""
        raw = self.client.db_read(self._plc.block, 0, HEARTBEAT + 2)
        written = unpack(WRITE, _words(raw[: 2 * size(WRITE)]), "high-first")
        return written, int.from_bytes(raw[HEARTBEAT:], "big")

    def write(self, signals: Signals, written: dict[str, int], answer: CommandAnswer) -> None:
        """The signals in one write, so that they are of one moment; the heartbeat counts."""
        heartbeat = (self._heartbeat + 1) % 65536
        values = values_of(signals, heartbeat, time.monotonic(), written, answer)
        registers = pack(READ, values, "high-first")
        data = bytearray(b"".join(word.to_bytes(2, "big") for word in registers))
        self.client.db_write(self._plc.block, SIGNALS, data)
        self._heartbeat = heartbeat


def _end(block: Block, feed: Feed) -> None:
    """Leave a block without a valid result, and disconnect."""
    try:
        if block.client.get_connected():
            signals = Signals(counts=feed.signals().counts)
            block.write(signals, nothing_written(), CommandAnswer())
            block.client.disconnect()
    except (S7Error, OSError) as error:
        log.warning("the PLC's block still has a result: it could not be cleared (%s)", error)


def exchange(block: Block, feed: Feed, command: PlcCommand, since_s: float) -> None:
    """One cycle: what the PLC says, then what it may read. Raises S7Error or OSError.

    `since_s` (monotonic) is when the cycle before began to read: what is new now was written later.
    """
    written = block.read()
    if command.is_new_trigger(written["trigger_new"]):
        # It may have come in the middle of the read; what belongs to it is written before it.
        written = block.read()
    feed.plc(inputs_of(written))
    command.set_command(written["command"], written["product_wanted"])
    command.set_trigger(*trigger_of(written), since_s)
    block.write(feed.signals(), written, command.answer())


def _words(raw: bytes | bytearray) -> list[int]:
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
