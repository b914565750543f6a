"""Simulated Logix controllers: cpppo's, in a process of its own, and what a PLC's program does."""

import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from pylogix import PLC

from edge.bridge.protocols.dints import (
    CHECK,
    HEARTBEAT,
    LENGTH,
    SIGNALS,
    from_dints,
    to_dints,
)
from edge.bridge.protocols.registers import READ, WRITE, nothing_written
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

TAG = "draem"


def accepted(copy: Sequence[int]) -> dict[str, int] | None:
    """What a PLC's program takes of its copy of the array: all fields of one moment, or nothing."""
    if copy[CHECK] != copy[HEARTBEAT]:
        return None
    return from_dints(READ, copy[SIGNALS:CHECK])


class Cpppo:
    """cpppo's controller, an outside program."""

    def __init__(self, *tags: str) -> None:
        self.port = free_ports(1)[0]
        self._tags = tags or (f"{TAG}=DINT[{LENGTH}]",)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "cpppo.server.enip", "--no-udp"]
        self._process = subprocess.Popen(
            [*command, "-a", f"127.0.0.1:{self.port}", *self._tags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, "cpppo's controller listens")

    def _listens(self) -> bool:
        assert self._process.poll() is None, "cpppo's controller has ended"
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Without a word, as a controller without power; its tags are lost."""
        self._process.kill()
        self._process.wait()


class Program(ABC):
    """The PLC's program, which runs when it is asked to."""

    def __init__(self) -> None:
        self._beat = self.acknowledged = 0
        self.command = self.product = 0
        self.trigger: dict[str, int] = {}
        self._last: dict[str, int] = from_dints(READ, [0] * (CHECK - SIGNALS))

    @abstractmethod
    def copy(self) -> list[int] | None:
        """The array; None where it cannot be read."""

    @abstractmethod
    def say(self, dints: list[int]) -> None:
        """Write into its start."""

    def read(self) -> dict[str, int]:
        """The last copy that was of one moment."""
        if (copy := self.copy()) is not None:
            self._last = accepted(copy) or self._last
        return self._last

    def write(self) -> None:
        self._beat += 1
        values = {
            "plc_heartbeat": self._beat, "results_ack": self.acknowledged,
            "command": self.command, "product_wanted": self.product,
        } | self.trigger  # fmt: skip
        self.say(to_dints(WRITE, nothing_written() | values))

    def until(self, due: Callable[[dict[str, int]], Any], seconds: float = 60) -> dict[str, int]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.write()
            if due(found := self.read()):
                return found
            time.sleep(0.005)
        raise AssertionError(f"not within {seconds} s, the last was {found}")


class OverNetwork(Program):
    """With cpppo's controller, which runs no program: over a connection of its own."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._plc = PLC("127.0.0.1", timeout=2, port=port)
        self._plc.conn.msg_socket.close()

    def copy(self) -> list[int] | None:
        found: list[int] | None = self._plc.Read(f"{TAG}[0]", LENGTH, datatype=0xC4).Value
        return found

    def say(self, dints: list[int]) -> None:
        self._plc.Write(f"{TAG}[0]", dints, datatype=0xC4)

    def close(self) -> None:
        self._plc.Close()
