"""Timing diagrams of the handshake, from recordings: `./just plc-timing` writes docs/plc-*.svg.

An inspector (the real loop, log and sockets around a stub of an engine) is triggered as a line
would; a `draem bridge modbus` carries its verdicts; a client plays the PLC and reads bits and
registers as fast as it can, each reading with its time. What is drawn is what was read, and the
moments at which the line and the PLC did something. Every tenth part is NG.
"""

import argparse
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from pymodbus.client import ModbusTcpClient

from edge.bridge.protocols.modbus import ACK_COIL
from edge.bridge.protocols.registers import READ, WRITE, offset, size, unpack
from edge.bridge.signals import Trouble
from tests.measure.chaos_processes import Part
from tests.measure.timing_diagram import PULSE_S, Recording, draw
from tests.support.ports import free_ports

BITS = {"Busy": 2, "Fault": 3, "Results Valid": 4}
BEAT_S, ACK_S = 0.06, 0.02


class Stage:
    """A line, its bridge and a PLC that does what a scene wants; records until the scene ends."""

    def __init__(self, camera: int, modbus: int, inspector: Part) -> None:
        self.inspector, self._camera = inspector, camera
        self._client = ModbusTcpClient("127.0.0.1", port=modbus, timeout=1)
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._numbers, self._beat, self._beaten, self.taken = count(1), 0, 0.0, 0
        self.counting, self.ack = True, False
        self.found: dict[str, int] = {}
        self.recording, self._start = Recording(), time.monotonic()

    def connect(self) -> None:
        """Once the bridge is there."""
        end = time.monotonic() + 30
        while not self._client.connect():
            if time.monotonic() > end:
                raise SystemExit("the bridge did not begin")
            time.sleep(0.1)

    def begin(self) -> None:
        """From here on it is drawn."""
        self.recording, self._start = Recording(), time.monotonic()
        self.scan()

    def now(self) -> float:
        return time.monotonic() - self._start

    def trigger(self) -> None:
        """The next part is at the camera."""
        at, number = self.now(), next(self._numbers)
        self._line.sendto(f"{number} {time.monotonic_ns()}".encode(), ("127.0.0.1", self._camera))
        self.recording.see(at, "Trigger", 1)
        self.recording.see(at + PULSE_S, "Trigger", 0)

    def note(self, text: str) -> None:
        self.recording.notes.append((self.now(), text))

    def scan(self) -> None:
        """One cycle of the PLC: write, read, record."""
        if self.counting and time.monotonic() - self._beaten >= BEAT_S:
            self._beat, self._beaten = (self._beat + 1) % 65_536, time.monotonic()
            self.recording.see(self.now(), "PLC heartbeat", self._beat % 2)
        self.recording.see(self.now(), "Results Ack", int(self.ack))
        self._client.write_register(offset(WRITE, "plc_heartbeat"), self._beat)
        self._client.write_coil(ACK_COIL, self.ack)
        answer = self._client.read_input_registers(0, count=size(READ))
        found, at = unpack(READ, answer.registers, "high-first"), self.now()
        for name, bit in BITS.items():
            self.recording.see(at, name, found["status"] >> bit & 1)
        text = f"{found['inspection_id']} {['', 'OK', 'NG'][found['verdict']]}"
        self.recording.say(self.recording.results, at, text if found["status"] & 16 else "")
        name = Trouble(found["trouble"]).name.lower().replace("_", " ")
        trouble = f"{found['trouble']} {name}" if found["trouble"] else ""
        self.recording.say(self.recording.troubles, at, trouble)
        self.found, self.recording.seconds = found, at
        time.sleep(0.002)

    def until(self, due: Callable[[dict[str, int]], object], seconds: float = 5) -> None:
        end = time.monotonic() + seconds
        self.scan()
        while not due(self.found):
            if time.monotonic() > end:
                raise SystemExit(f"it never came: {self.found}")
            self.scan()

    def go_on(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.scan()

    def valid(self) -> None:
        self.until(lambda found: found["status"] & 16)

    def take(self) -> None:
        """Acknowledge what is offered, and see it go."""
        self.taken, self.ack = self.found["inspection_id"], True
        self.until(lambda found: not found["status"] & 16)
        self.go_on(ACK_S)
        self.ack = False
        self.scan()


def free_running(stage: Stage) -> None:
    """Three parts; nobody acknowledges. The last result is withdrawn at its deadline."""
    for gap_s in (0.18, 0.18, 0.45):
        stage.trigger()
        stage.go_on(gap_s)


def dequeue(stage: Stage) -> None:
    """Three parts come faster than the PLC takes them."""
    for _ in range(3):
        stage.trigger()
        stage.go_on(0.03)
    for _ in range(3):
        stage.valid()
        stage.go_on(0.06)  # the PLC's program is at work
        stage.take()
    stage.go_on(0.05)


def silent(stage: Stage) -> None:
    """The PLC stands still; later the inspector does."""
    stage.trigger()
    stage.valid()
    stage.go_on(0.05)
    stage.counting = False
    stage.note("PLC stops counting")
    stage.until(lambda found: found["trouble"] == Trouble.PLC_SILENT)
    stage.go_on(0.3)
    stage.counting = True
    stage.note("PLC counts again")
    stage.until(lambda found: found["trouble"] == 0)
    stage.go_on(0.4)
    stage.trigger()
    stage.valid()
    stage.note("inspector hangs")
    frozen = Thread(target=stage.inspector.freeze, args=(1.5,))
    frozen.start()
    stage.until(lambda found: found["trouble"] == Trouble.LINE_SILENT)
    stage.until(lambda found: not frozen.is_alive())
    stage.note("it goes on")
    stage.until(lambda found: found["trouble"] != Trouble.LINE_SILENT)
    stage.trigger()
    stage.valid()
    stage.go_on(0.4)


def overrun(stage: Stage) -> None:
    """Four parts into a buffer of three, and nobody acknowledges; then one that is taken."""
    for _ in range(4):
        stage.trigger()
        stage.go_on(0.06)
    stage.until(lambda found: found["trouble"] == Trouble.OVERRUN)
    stage.go_on(0.1)
    stage.trigger()
    stage.valid()
    stage.go_on(0.04)
    stage.take()
    stage.go_on(0.05)


SCENES: dict[str, tuple[Callable[[Stage], None], str, list[str]]] = {
    "free-running": (free_running, "Free-running, a deadline of 300 ms", ["--deadline-ms", "300"]),
    "dequeue": (dequeue, "Dequeue: held until acknowledged", ["--results", "dequeue"]),
    "silent": (
        silent, "Heartbeats that stand still (--plc-silent-ms 300)",
        ["--plc-silent-ms", "300", "--deadline-ms", "5000"],
    ),
    "overrun": (
        overrun, "Overrun: a buffer of 3", ["--results", "dequeue", "--buffer", "3"],
    ),
}  # fmt: skip


@contextmanager
def staged(folder: Path, words: list[str]) -> Iterator[Stage]:
    """The processes of a scene."""
    camera, near, replay, modbus = free_ports(4)
    endpoint, replay_at = (f"tcp://127.0.0.1:{port}" for port in (near, replay))
    inspector = Part("inspector", str(folder / "log"), str(camera), endpoint, replay_at)
    bridge = Part(
        "bridge", "modbus", "--endpoint", endpoint, "--replay", replay_at, "--data", str(folder),
        "--listen", f"127.0.0.1:{modbus}", *words, module="draem",
    )  # fmt: skip
    stage = Stage(camera, modbus, inspector)
    try:
        stage.connect()
        stage.until(lambda found: found["trouble"] == 0, 30)
        yield stage
    finally:
        bridge.end()
        inspector.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("docs"))
    parser.add_argument("--png", action="store_true", help="pictures to look at, not for docs")
    options = parser.parse_args()
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    for name, (scene, title, words) in SCENES.items():
        with TemporaryDirectory() as folder, staged(Path(folder), words) as stage:
            while stage.taken < 7:  # so that an NG comes into the picture
                stage.trigger()
                stage.valid()
                stage.take()
            stage.begin()
            scene(stage)
            recording = stage.recording
        draw(recording, title, options.to / f"plc-{name}.{'png' if options.png else 'svg'}")


if __name__ == "__main__":
    main()
