"""The processes of `tests.measure.chaos`: the line, an inspector, subscribers.

`python -m tests.measure.chaos_processes ROLE ...` is one of them; `Part` starts it.
"""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent

from edge.camera import FrameTimeout
from edge.events.cursors import Cursors
from edge.events.event import Inspection
from edge.events.journal import Journal
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets
from edge.events.subscriber import Acknowledging, events
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.frame import Frame
from tests.support.minimal_station import PRODUCT, FakeCamera, MeanEngine, frame


class TriggerCamera(FakeCamera):
    """Takes a picture for each datagram; those sent while it is down are lost, as in a plant."""

    live = True

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.1)

    def read(self) -> Frame:
        try:
            words = self._socket.recv(64).split()
        except TimeoutError as error:
            raise FrameTimeout("no trigger") from error
        trigger_id = int(words[0])
        made = frame(trigger_id, gray=255 if trigger_id % 10 == 0 else 0)
        # The time of the trigger, as a camera with a clock has it.
        return replace(made, captured_ns=int(words[1]) if words[1:] else time.monotonic_ns())

    def close(self) -> None:
        self._socket.close()


def send_triggers(port: int, rate: float, count: int, progress: Path) -> None:
    """The line: `count` triggers at `rate` a second, with its progress in a file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        due = time.monotonic()
        for trigger_id in range(1, count + 1):
            out.sendto(str(trigger_id).encode(), ("127.0.0.1", port))
            if trigger_id % 100 == 0 or trigger_id == count:
                progress.write_text(str(trigger_id))
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))


def inspect_triggers(folder: Path, port: int, endpoint: str, replay_at: str) -> None:
    """The inspector, until SIGTERM."""
    stop = StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with (
        Journal(folder) as journal,
        Cursors(folder) as cursors,
        Sockets() as sockets,
        Publisher(sockets, endpoint) as publisher,
        serve_replay(sockets, replay_at, folder),
        TriggerCamera(port) as camera,
    ):
        retention = Retention(journal, cursors, RetentionLimits(days=10 / 86400))
        stream = EventWriter("chaos", PRODUCT, journal, publisher, retention)
        pace = Pace(triggered=True, deadline_ms=1000, backlog=200)
        run(camera, MeanEngine(), stream, stop, pace, Controls(PRODUCT))


def apply_events(name: str, folder: Path, endpoint: str, replay_at: str) -> None:
    """A subscriber that stores each event once, and knows what it has stored."""
    database = sqlite3.connect(folder / f"{name}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS applied "
        "(seq INTEGER, trigger_id INTEGER, code TEXT, verdict TEXT)"
    )
    last = database.execute("SELECT max(seq) FROM applied").fetchone()[0] or 0
    acknowledging = Acknowledging(name, "bridge") if name == "bridge" else None
    cursor = folder / f"{name}.cursor"
    first = True
    for event in events(endpoint, cursor, replay=replay_at, acknowledging=acknowledging):
        header = event.header
        if first and header.seq == last:
            first = False
            continue  # it was being processed when this process was killed
        first = False
        part = header if isinstance(header, Inspection) else None
        row = (
            header.seq,
            part and part.trigger_id,
            part and part.code.name,
            part and part.verdict,
        )
        database.execute("INSERT INTO applied VALUES (?, ?, ?, ?)", row)
        last = header.seq


ROLES: dict[str, Callable[..., None]] = {
    "line": lambda port, rate, count, progress: send_triggers(
        int(port), float(rate), int(count), Path(progress)
    ),
    "inspector": lambda folder, port, *at: inspect_triggers(Path(folder), int(port), *at),
    "far": lambda name, folder, *at: apply_events(name, Path(folder), *at),
}


class Part:
    """A process that is frozen, or killed and started again."""

    def __init__(self, *words: str, module: str = "tests.measure.chaos_processes") -> None:
        self._command = [sys.executable, "-m", module, *words]
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = subprocess.Popen(self._command)

    def freeze(self, seconds: float) -> None:
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def finished(self) -> bool:
        return self._process.poll() is not None

    def restart_if_ended(self) -> None:
        """As a service manager does."""
        if self.finished():
            self._process = subprocess.Popen(self._command)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)


if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
