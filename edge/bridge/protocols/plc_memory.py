"""The memory of a PLC that a bridge reads and writes as a client: what S7 and EtherNet/IP share.

In every cycle the bridge reads what the PLC says and writes its signals. Nothing in these protocols
keeps two bridges from writing into one place, where a PLC would take the verdicts of one station
for those of another. So a bridge reads its heartbeat back: if it is not its own, and counts on
while this bridge writes nothing, there is another, and this one ends.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.protocols.registers import inputs_of, nothing_written, trigger_of, values_of
from edge.bridge.signals import Signals

log = logging.getLogger(__name__)

CYCLE_S = 0.01
AGAIN_S = (0.5, 5.0)
"""Seconds until the next try to connect: the first, and the longest."""
ALONE_S = 0.5  # another bridge counts its heartbeat at least once in this time


class PlcMemory(ABC):
    """One place in a PLC's memory, over a connection. Its methods raise one of `errors`."""

    wire: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]
    to_be_fixed: ClassVar[tuple[type[Exception], ...]] = ()
    """Those of `errors` that last until somebody changes the PLC."""

    def __init__(self, place: str, option: str) -> None:
        self.place = place
        """How messages name it."""
        self._option = option  # which chooses another place
        self._heartbeat = 0  # as it was written last
        self._warned = False

    @property
    @abstractmethod
    def connected(self) -> bool: ...

    @abstractmethod
    def _open(self) -> None:
        """Connect."""

    @abstractmethod
    def close(self) -> None:
        """End the connection as the protocol wants it."""

    @abstractmethod
    def drop(self) -> None:
        """End a connection that has failed, without waiting for the PLC."""

    @abstractmethod
    def _read(self) -> tuple[dict[str, int], int]:
        """What the PLC says now, and the heartbeat that it has of a bridge."""

    @abstractmethod
    def _write(self, values: dict[str, int]) -> None:
        """The fields of READ, so that the PLC can check that they belong together."""

    @abstractmethod
    def explain(self, error: Exception) -> str:
        """In one line why the first exchange has failed, and how to fix it."""

    def connect(self) -> None:
        """Raises BridgeError where another bridge writes into this place."""
        self._open()
        self._check_alone()

    def _check_alone(self) -> None:
        self._heartbeat = before = self._read()[1]
        time.sleep(ALONE_S)
        if self._read()[1] != before:
            raise BridgeError(
                f"another bridge writes into {self.place}: stop that one, or give this one "
                f"another {self._option}"
            )

    def read(self) -> dict[str, int]:
        """What the PLC says now. Raises BridgeError where another bridge writes here."""
        written, heartbeat = self._read()
        if heartbeat != self._heartbeat:
            self._check_alone()  # a PLC that loads its start values changes it once
            if not self._warned:
                text = "the PLC has changed what the bridge wrote into %s: does its program write?"
                log.warning(text, self.place)
            self._warned = True
            written, _ = self._read()
        return written

    def write(self, signals: Signals, written: dict[str, int], answer: CommandAnswer) -> None:
        """The signals of this moment; the heartbeat counts."""
        heartbeat = (self._heartbeat + 1) % 65536
        self._write(values_of(signals, heartbeat, time.monotonic(), written, answer))
        self._heartbeat = heartbeat


def run(
    memory: PlcMemory,
    feed: Feed,
    command: PlcCommand,
    stopped: Callable[[], bool],
    due: threading.Event,
) -> None:
    """Exchange with the PLC in every cycle, and when `due` is set, until `stopped()`.

    It reconnects for ever. At the end the PLC has no valid result. Raises BridgeError where the
    place was never reached, or where another bridge writes into it.
    """
    try:
        _exchange_until(memory, feed, command, stopped, due)
        _clear(memory, feed)
    finally:
        memory.drop()


def _exchange_until(
    memory: PlcMemory,
    feed: Feed,
    command: PlcCommand,
    stopped: Callable[[], bool],
    due: threading.Event,
) -> None:
    wait_s, ever, said, read_s = 0.0, False, "", time.monotonic()
    while not stopped():
        try:
            if not memory.connected:
                if ever and not wait_s:
                    raise ConnectionError("it has closed the connection")
                time.sleep(min(wait_s, AGAIN_S[1]))
                wait_s = max(AGAIN_S[0], 2 * wait_s)
                memory.connect()
            begun_s = time.monotonic()
            exchange(memory, feed, command, read_s)
            read_s = begun_s
            if not ever or wait_s:
                log.info("%s: exchanging with %s", memory.wire, memory.place)
            ever, wait_s = True, 0.0
        except memory.errors as error:
            if not ever:
                raise BridgeError(memory.explain(error)) from error
            if not wait_s or (isinstance(error, memory.to_be_fixed) and str(error) != said):
                log.warning("the connection to the PLC is lost (%s): connecting again", error)
                said = str(error)
            wait_s = max(AGAIN_S[0], wait_s)
            memory.drop()
            continue
        due.wait(CYCLE_S)
        due.clear()


def _clear(memory: PlcMemory, feed: Feed) -> None:
    """Leave a place without a valid result, and disconnect."""
    try:
        if memory.connected:
            signals = Signals(counts=feed.signals().counts)
            memory.write(signals, nothing_written(), CommandAnswer())
            memory.close()
    except memory.errors as error:
        log.warning("the PLC still has a result: it could not be cleared (%s)", error)


def exchange(memory: PlcMemory, feed: Feed, command: PlcCommand, since_s: float) -> None:
    """One cycle: what the PLC says, then what it may read. Raises one of `memory.errors`.

    `since_s` (monotonic) is when the cycle before began to read: what is new now was written later.
    """
    written = memory.read()
    if command.is_new_trigger(written["trigger_new"]):
        # It may have come in the middle of the read; what belongs to it is written before it.
        written = memory.read()
    feed.plc(inputs_of(written))
    command.set_command(written["command"], written["product_wanted"])
    command.set_trigger(*trigger_of(written), since_s)
    memory.write(feed.signals(), written, command.answer())
