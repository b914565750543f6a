"""A station in a process of its own: real loop, log and sockets around a stub of an engine.

`python -m tests.support.combine.view_process NAME FOLDER PORT ENDPOINT REPLAY CONTROL` takes a
picture for each datagram "trigger id, time in ns, gray level, part id" at PORT. A level from 128 on
is NG; -1 is a part that the camera does not see.
"""

import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent

from edge.camera import FrameTimeout
from edge.events.client import RequestClient
from edge.events.control_messages import Request
from edge.events.cursors import Cursors
from edge.events.journal import Journal
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets
from edge.station.control import Controls, control
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.frame import Frame
from tests.support.event_log import logged
from tests.support.minimal_station import PRODUCT, FakeCamera, MeanEngine, frame
from tests.support.ports import free_ports
from tests.support.restarted import Restarted

MISSED, GOOD, BAD = -1, 0, 255


class DatagramCamera(FakeCamera):
    """Takes a picture for each datagram; those sent while it is down are lost, as in a plant."""

    live = True

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.1)

    def read(self) -> Frame:
        try:
            number, captured_ns, gray, *part_id = self._socket.recv(256).split()
        except TimeoutError as error:
            raise FrameTimeout("no trigger") from error
        made = frame(int(number), int(gray))
        part = part_id[0].decode() if part_id else None
        return replace(made, captured_ns=int(captured_ns), part_id=part, encoder=10 * int(number))

    def close(self) -> None:
        self._socket.close()


class ViewProcess(Restarted):
    """The process, which can be killed and started again with the same log."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder / name
        self._camera, *ports = free_ports(4)
        self.ports = ports
        self.endpoint, self.replay, self._control = (f"tcp://127.0.0.1:{port}" for port in ports)
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        super().__init__(
            "tests.support.combine.view_process", name, str(self.folder), str(self._camera),
            self.endpoint, self.replay, self._control,
        )  # fmt: skip

    def see(self, trigger_id: int, gray: int, captured_ns: int | None = None,
            part_id: str = "") -> None:  # fmt: skip
        """A part is under the camera."""
        if gray != MISSED:
            at = time.monotonic_ns() if captured_ns is None else captured_ns
            text = f"{trigger_id} {at} {gray} {part_id}"
            self._out.sendto(text.encode(), ("127.0.0.1", self._camera))

    def last_trigger(self) -> int:
        """The newest trigger of its log."""
        ids = [event.trigger_id for event in logged(self.folder) if event.kind == "inspection"]
        return max((number for number in ids if number is not None), default=0)

    def ask(self, request: str) -> None:
        """Send a request to its control socket."""
        with RequestClient(self._control, None, "--control") as client:
            client.ask(Request.model_validate({"request": request}))

    def close(self) -> None:
        super().close()
        self._out.close()


def main(name: str, folder: Path, port: int, endpoint: str, replay: str, control_at: str) -> None:
    """The station, until SIGTERM."""
    stop = StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    controls = Controls(PRODUCT)
    controls.station = name
    with (
        Journal(folder) as journal,
        Cursors(folder) as cursors,
        Sockets() as sockets,
        Publisher(sockets, endpoint) as publisher,
        serve_replay(sockets, replay, folder),
        control(sockets, control_at, controls),
        DatagramCamera(port) as camera,
    ):
        retention = Retention(journal, cursors, RetentionLimits())
        writer = EventWriter(name, PRODUCT, journal, publisher, retention)
        pace = Pace(triggered=True, deadline_ms=1000, backlog=200)
        run(camera, MeanEngine(), writer, stop, pace, controls)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
