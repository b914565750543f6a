"""EtherNet/IP: the gate's signals written into a tag of a Logix controller, its answers read.

The bridge is the client (pylogix, explicit messages over one connection); the tag is an array of
DINT, whose order is in `edge.bridge.protocols.dints`. A structure could not be written at once.

One request writes all: a multiple service packet of at most `REQUEST_BYTES`, which the oldest
controllers take too. Its services are carried out in their order: `check`, the fields, the
heartbeat.
"""

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pylogix import PLC
from pylogix.lgx_comm import Connection

from edge.bridge.protocols.dints import CHECK, HEARTBEAT, LENGTH, SIGNALS, from_dints, to_dints
from edge.bridge.protocols.plc_memory import PlcMemory
from edge.bridge.protocols.registers import READ, WRITE
from edge.bridge.tcp import drop_stale_data

ANSWER_S = 1.0
REQUEST_BYTES = 504
HEADER_BYTES = 24
DINT = 0xC4
TYPES = {0xA0: "structure", 0xC1: "BOOL", 0xC2: "SINT", 0xC3: "INT", 0xC5: "LINT", 0xCA: "REAL"}
NO_TAG = ("Path destination unknown", "Path segment error")


@dataclass(frozen=True)
class Controller:
    """Where the tag is; `slot` is that of the processor in its chassis."""

    host: str
    port: int
    slot: int
    tag: str


class ControllerError(Exception):
    """A controller cannot be exchanged with now."""


class TagError(ControllerError):
    """Its tag, or the way to it, is not as the bridge needs it."""


class Tag(PlcMemory):
    """The array of DINT."""

    wire, errors, to_be_fixed = "EtherNet/IP", (ControllerError, OSError), (TagError,)

    def __init__(self, controller: Controller) -> None:
        self._at, self._plc = controller, _client(controller)
        self._named = f"the controller at {controller.host}:{controller.port}"
        super().__init__(f"the tag {controller.tag} of {self._named}", "--tag")

    @property
    def connected(self) -> bool:
        return bool(self._plc.conn.SocketConnected)

    def _open(self) -> None:
        self._plc = _client(self._at)
        with self._strange():
            done, why = self._plc.conn.connect()
            if not done:
                raise self._unreached(why)
            drop_stale_data(self._plc.conn.Socket)
            self._check_tag()

    def _unreached(self, why: object) -> ControllerError:
        if isinstance(why, OSError):
            return ControllerError(
                f"{self._named} cannot be reached ({why.strerror or why}): correct --controller, "
                "or check network and firewall"
            )
        if "Forward" in str(why):
            return TagError(
                f"{self._named} has no processor in slot {self._at.slot}, or no connection left: "
                "correct --slot, or close a connection of another program"
            )
        return ControllerError(
            f"what answers at {self._at.host}:{self._at.port} is no EtherNet/IP device: correct "
            "--controller"
        )

    def _check_tag(self) -> None:
        """Its type and length; raises TagError."""
        tag, wanted = self._at.tag, f"make it an array DINT[{LENGTH}]"
        self._get(tag)
        kind = self._plc.KnownTags[tag][0]
        if kind != DINT:
            raise TagError(f"{self.place} is of the type {TYPES.get(kind, hex(kind))}: {wanted}")
        if self._plc.Read(f"{tag}[{LENGTH - 1}]").Status != "Success":
            self._get(tag)  # the connection has not failed
            raise TagError(f"{self.place} has no element {LENGTH - 1}: {wanted}")

    def close(self) -> None:
        self._plc.Close()

    def drop(self) -> None:
        self._plc.conn.Socket.close()
        self._plc.conn.SocketConnected = False

    def _read(self) -> tuple[dict[str, int], int]:
        with self._strange():
            found = self._get(f"{self._at.tag}[0]", HEARTBEAT + 1)
            return from_dints(WRITE, found), found[HEARTBEAT]

    def _write(self, values: dict[str, int]) -> None:
        tag, dints = self._at.tag, to_dints(READ, values)
        after = HEARTBEAT + 1
        begin, fields = dints[: after - SIGNALS], dints[after - SIGNALS :]
        with self._strange():
            for answer in self._plc.Write([
                (f"{tag}[{CHECK}]", begin[-1], DINT),
                (f"{tag}[{after}]", fields, DINT),
                (f"{tag}[{SIGNALS}]", begin, DINT),
            ]):  # fmt: skip
                self._check(answer.Status)

    def _get(self, name: str, count: int = 1) -> Any:
        answer = self._plc.Read(name, count)
        self._check(answer.Status)
        return answer.Value

    def _check(self, status: str) -> None:
        if status == "Success":
            return
        if status in NO_TAG:
            raise TagError(
                f"{self._named} has no tag {self._at.tag}: create it as DINT[{LENGTH}], or "
                "correct --tag"
            )
        if status == "Privilege violation":
            raise TagError(
                f"{self.place} may not be written: set its External Access to Read/Write, and "
                "Constant off"
            )
        if not self.connected:
            raise ControllerError(f"{self._named} does not answer within {ANSWER_S:g} s")
        raise TagError(
            f"{self._named} refuses a request ({status}): is {self._at.tag} DINT[{LENGTH}]?"
        )

    @contextmanager
    def _strange(self) -> Iterator[None]:
        """What pylogix raises where an answer is not as the protocol has it."""
        try:
            yield
        except (struct.error, ValueError, LookupError, TypeError) as error:
            raise ControllerError(
                f"{self._named} answers what pylogix does not understand ({error}): is it a "
                "ControlLogix or CompactLogix?"
            ) from error

    def explain(self, error: Exception) -> str:
        return str(error)


def _client(at: Controller) -> PLC:
    plc = PLC(at.host, at.slot, timeout=ANSWER_S, port=at.port)
    _close_sockets(plc.conn)
    plc.conn = _Connection(plc)
    _close_sockets(plc.conn)
    plc.ConnectionSize = REQUEST_BYTES
    return plc


def _close_sockets(connection: Connection) -> None:
    """Those that pylogix opens before it is asked to connect."""
    connection.Socket.close()
    connection.msg_socket.close()


class _Connection(Connection):  # type: ignore[misc]
    """pylogix's own waits for ever for the rest of an answer that is cut."""

    def receive_data(self) -> bytes | None:
        """One answer; None where none has come whole and in time."""
        end = time.monotonic() + ANSWER_S
        try:
            header = self._exactly(HEADER_BYTES, end)
            return header + self._exactly(struct.unpack_from("<H", header, 2)[0], end)
        except OSError:
            return None

    def _exactly(self, count: int, end: float) -> bytes:
        data = b""
        while len(data) < count:
            self.Socket.settimeout(max(0.001, end - time.monotonic()))
            part = self.Socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed in the middle of an answer")
            data += part
        return data
