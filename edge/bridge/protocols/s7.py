"""S7: the gate's signals written into a data block of a Siemens PLC, its answers read from it.

The bridge is the client (python-snap7); the block is not optimised, and the PLC permits PUT/GET. At
its start lies what the PLC writes, from byte `SIGNALS` on what the bridge does: the same fields as
over Modbus, each register two bytes, high byte first. The block as a type is printed by
`edge.bridge.protocols.register_docs.scl`.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from snap7.client import Client
from snap7.error import S7Error

from edge.bridge.feed import BridgeError, Feed, drop_stale_data
from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.protocols.register_docs import SIGNALS
from edge.bridge.protocols.registers import (
    READ,
    WRITE,
    inputs_of,
    nothing_written,
    pack,
    size,
    trigger_of,
    unpack,
    values_of,
)
from edge.bridge.signals import Signals

log = logging.getLogger(__name__)

CYCLE_S = 0.01
AGAIN_S = (0.5, 5.0)
"""Seconds until the next try to connect: the first, and the longest."""


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
    or was never reached.
    """
    logging.getLogger("snap7").setLevel(logging.CRITICAL)  # says all that we say, and each try
    client, heartbeat, wait_s = Client(), 0, 0.0
    ever, read_s = False, time.monotonic()
    while not stopped():
        try:
            if not client.get_connected():
                time.sleep(min(wait_s, AGAIN_S[1]))
                wait_s = max(AGAIN_S[0], 2 * wait_s)
                _connect(client, plc)
            heartbeat += 1
            begun_s = time.monotonic()
            exchange(client, plc.block, feed, command, heartbeat, read_s)
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
            client.disconnect()
            continue
        time.sleep(CYCLE_S)
    _end(client, plc.block, feed, heartbeat + 1)


def _connect(client: Client, plc: Plc) -> None:
    client.connect(plc.host, plc.rack, plc.slot, plc.port)
    if client.connection is not None:
        drop_stale_data(client.connection.socket)


def _end(client: Client, block: int, feed: Feed, heartbeat: int) -> None:
    """Leave a block without a valid result, and disconnect."""
    try:
        if client.get_connected():
            signals = Signals(counts=feed.signals().counts)
            write(client, block, signals, heartbeat, nothing_written(), CommandAnswer())
            client.disconnect()
    except (S7Error, OSError) as error:
        log.warning("the PLC's block still has a result: it could not be cleared (%s)", error)


def exchange(
    client: Client, block: int, feed: Feed, command: PlcCommand, heartbeat: int, since_s: float
) -> None:
    """One cycle: what the PLC says, then what it may read. Raises S7Error or OSError.

    `since_s` (monotonic) is when the cycle before began to read: what is new now was written later.
    """
    written = read(client, block)
    if command.is_new_trigger(written["trigger_new"]):
        # It may have come in the middle of the read; what belongs to it is written before it.
        written = read(client, block)
    feed.plc(inputs_of(written))
    command.set_command(written["command"], written["product_wanted"])
    command.set_trigger(*trigger_of(written), since_s)
    write(client, block, feed.signals(), heartbeat, written, command.answer())


def read(client: Client, block: int) -> dict[str, int]:
    """What the PLC says now. Raises S7Error or OSError."""
    return unpack(WRITE, _words(client.db_read(block, 0, 2 * size(WRITE))), "high-first")


def write(
    client: Client,
    block: int,
    signals: Signals,
    heartbeat: int,
    written: dict[str, int],
    answer: CommandAnswer,
) -> None:
    """The signals in one write, so that they are of one moment."""
    values = values_of(signals, heartbeat, time.monotonic(), written, answer)
    registers = pack(READ, values, "high-first")
    data = bytearray(b"".join(word.to_bytes(2, "big") for word in registers))
    client.db_write(block, SIGNALS, data)


def _words(raw: bytes | bytearray) -> list[int]:
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
