"""A Logix controller in this process, for what cpppo's cannot do: be fast, refuse, tear a write.

It answers the few services that the bridge uses, and its tags are in memory, where a program reads
them as a controller's own does. tests/edge/bridge/test_plc_ethernet_ip.py uses cpppo's.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from edge.bridge.protocols.dints import LENGTH
from tests.support.bridge.logix import TAG, Program

DINT, REAL = 0xC4, 0xCA
SUCCESS, NO_PATH, READ_ONLY, OTHER = 0, 0x05, 0x0F, 0xFF
REGISTER, UNREGISTER, UNCONNECTED, CONNECTED = 0x65, 0x66, 0x6F, 0x70
READ, WRITE, MULTIPLE, OPEN, CLOSE = 0x4C, 0x4D, 0x0A, 0x54, 0x4E


class LogixController:
    """One tag of DINTs; what it does wrong is set while it runs."""

    def __init__(self, port: int, slot: int = 0, length: int = LENGTH) -> None:
        self.port, self._slot = port, slot
        self.tag, self.kind, self.data = TAG, DINT, [0] * length
        self.read_only, self.answer_s, self.cutting = False, 0.0, False
        self.written: list[tuple[int, list[int]]] = []
        """First index and values of each write service, in their order."""
        self.longest = 0
        """Bytes of the longest connected request."""
        self.after_service: Callable[[], None] = lambda: None
        self._listening = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listening.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            while len(header := stream.read(24)) == 24:
                command, length = struct.unpack_from("<HH", header)
                if command == UNREGISTER:
                    return
                data = self._answer(command, stream.read(length))
                time.sleep(self.answer_s)
                answer = header[:2] + struct.pack("<HI", len(data), 1) + header[8:] + data
                if self.cutting:
                    connection.sendall(answer[:-3])
                    return
                connection.sendall(answer)

    def _answer(self, command: int, data: bytes) -> bytes:
        if command == REGISTER:
            return data
        if command == UNCONNECTED:
            return data[:14] + _counted(self._connection(data[16:]))
        self.longest = max(self.longest, len(data) - 20)
        return data[:18] + _counted(data[20:22] + self._service(data[22:]))

    def _connection(self, request: bytes) -> bytes:
        if request[0] == CLOSE:
            return bytes([CLOSE | 0x80, 0, 0, 0]) + bytes(10)
        if request[0] != OPEN or request[-6:-4] != bytes([1, self._slot]):
            return bytes([request[0] | 0x80, 0, 1, 1, 0x12, 3])
        return bytes([OPEN | 0x80, 0, 0, 0]) + struct.pack("<II", 7, 8) + request[14:22] + bytes(10)

    def _service(self, request: bytes) -> bytes:
        code, end = request[0], 2 + 2 * request[1]
        path, data = request[2:end], request[end:]
        if code == MULTIPLE:
            return bytes([MULTIPLE | 0x80, 0, 0, 0]) + self._each(data)
        status, found = SUCCESS, b""
        name, first = _parsed(path)
        count = struct.unpack_from("<H", data, 2 if code == WRITE else 0)[0]
        if name != self.tag:
            status = NO_PATH
        elif first + count > len(self.data):
            status = OTHER
        elif code == READ:
            found = struct.pack(f"<H{count}i", self.kind, *self.data[first : first + count])
        elif self.read_only:
            status = READ_ONLY
        elif data[0] != self.kind:
            status = OTHER
        else:
            values = list(struct.unpack_from(f"<{count}i", data, 4))
            self.data[first : first + count] = values
            self.written = [*self.written[-99:], (first, values)]
            self.after_service()
        return bytes([code | 0x80, 0, status, 0]) + found

    def _each(self, data: bytes) -> bytes:
        """The services of a multiple service packet, in their order."""
        count = struct.unpack_from("<H", data)[0]
        at = [*struct.unpack_from(f"<{count}H", data, 2), len(data)]
        answers = [self._service(data[a:b]) for a, b in pairwise(at)]
        offsets, end = [], 2 + 2 * count
        for answer in answers:
            offsets.append(end)
            end += len(answer)
        return struct.pack(f"<H{count}H", count, *offsets) + b"".join(answers)


class InMemory(Program):
    """A program in the controller itself."""

    def __init__(self, controller: LogixController) -> None:
        super().__init__()
        self.controller = controller

    def copy(self) -> list[int]:
        return self.controller.data[:]

    def say(self, dints: list[int]) -> None:
        self.controller.data[: len(dints)] = dints


def _counted(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


def _parsed(path: bytes) -> tuple[str, int]:
    """Name and index."""
    names, index, at = [], 0, 0
    while at < len(path):
        if path[at] == 0x91:
            size = path[at + 1]
            names.append(path[at + 2 : at + 2 + size].decode())
            at += 2 + size + size % 2
        else:
            size, form = {0x28: (2, "<xB"), 0x29: (4, "<xxH"), 0x2A: (6, "<xxI")}[path[at]]
            index = struct.unpack_from(form, path, at)[0]
            at += size
    return ".".join(names), index
