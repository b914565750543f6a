"""TCP connections as Linux lists them, and a way to end them."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.waiting import wait_until

ESTABLISHED, KEEPALIVE = "01", "02"
SHORT = 40  # bytes: an S7 server says no more of a write


def wait_until_kept_alive(*, local: int = 0, remote: int = 0) -> None:
    """Until a connection at that local or remote port has a keepalive timer.

    While data is on its way the connection has another timer.
    """
    wait_until(lambda: any(_timers(local, remote)), "a keepalive timer")


def _timers(local: int, remote: int) -> Iterator[bool]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, _, timer, *_ = line.split()
        ports = int(here.split(":")[1], 16), int(there.split(":")[1], 16)
        if state == ESTABLISHED and (ports[0] == local or ports[1] == remote):
            yield timer.split(":")[0] == KEEPALIVE


class Between:
    """Passes one connection on to a server; `cut` ends it after the next short answer."""

    def __init__(self, port: int) -> None:
        self.port, self._target = free_ports(1)[0], port
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._cutting = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._cutting.set()

    def _serve(self) -> None:
        while True:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            self._pass_on(server, client, answers=True)

    def _pass_on(self, source: socket.socket, to: socket.socket, *, answers: bool = False) -> None:
        with source, to:
            try:
                while data := source.recv(4096):
                    to.sendall(data)
                    if answers and len(data) < SHORT and self._cutting.is_set():
                        self._cutting.clear()
                        to.shutdown(socket.SHUT_RDWR)
                        return
            except OSError:
                pass

    def close(self) -> None:
        self._listening.close()
