"""A station with pictures of a real size at 20 parts a second, in a process of its own.

python -m tests.measure.live_station FOLDER PORT LIVE_RATE [METRICS]
"""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.base.closeable import Closeable
from edge.camera import Camera
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from edge.vision.frame import Frame
from tests.support.minimal_station import FakeCamera, frame
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.waiting import wait_until

RATE = 20
LIVE_RATE = 5.0  # live pictures a second, as by default
HEIGHT, WIDTH = 960, 1280


class Pictures(FakeCamera):
    """Pictures of a real size at RATE, each seventh of them NG."""

    live = True

    def __init__(self) -> None:
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        texture = (16 * np.sin(x / 9) * np.cos(y / 13)).astype(np.int16)
        self._frames = [
            np.repeat((gray + texture).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
            for gray in (60, 200)
        ]
        self._count, self._due = 0, time.monotonic()

    def read(self) -> Frame:
        self._due = max(self._due + 1 / RATE, time.monotonic() - 1)
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._count += 1
        image = self._frames[self._count % 7 == 0]
        return replace(frame(self._count), image=image, captured_ns=time.monotonic_ns())


class PicturesRunning(Running):
    """A station with these pictures."""

    def _camera(self) -> Camera:
        return Pictures()


def run_station(folder: str, port: str, live_rate: str, metrics: str = "") -> None:
    """The station, in a process of its own, until SIGTERM."""
    running = PicturesRunning(
        Path(folder), endpoint=f"tcp://127.0.0.1:{port}", live_rate=float(live_rate),
        metrics=metrics or None,
    )  # fmt: skip
    signal.sigwait({signal.SIGTERM})
    running.close()


class StationProcess(Closeable):
    """The process of `run_station`; its log tells what the loop did."""

    def __init__(
        self, folder: Path, metrics: int | None = None, live_rate: float = LIVE_RATE
    ) -> None:
        port = free_ports(4)[0]
        self.endpoint, self._log = f"tcp://127.0.0.1:{port}", folder / "station-1"
        words = ["-m", "tests.measure.live_station", str(folder), str(port), str(live_rate)]
        words += [str(metrics)] if metrics else []
        self.process = subprocess.Popen([sys.executable, *words])
        wait_until(lambda: (self._log / "events.db").is_file(), "the station writes its log")

    def events(self, after: int) -> list[Inspection]:
        """All inspections after an event."""
        with JournalReader(self._log) as reader:
            headers = [decode(message).header for message in reader.page(after, 1_000_000)]
        return [header for header in headers if isinstance(header, Inspection)]

    def head(self) -> int:
        """The newest event."""
        with JournalReader(self._log) as reader:
            return reader.head()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


if __name__ == "__main__":
    run_station(*sys.argv[1:])
