"""A whole station around the stub of an engine, on a thread of this process."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

from edge.camera import Camera
from edge.station.changeover import Changeover
from edge.station.control import Controls
from edge.station.loop import Pace, run
from edge.station.open import open_station
from edge.station.settings import Station
from edge.vision.frame import Frame
from tests.support.minimal_station import PRODUCT, FakeCamera, MeanEngine, frame
from tests.support.ports import free_ports


class Steady(FakeCamera):
    """A picture every 20 ms."""

    live = True

    def __init__(self) -> None:
        self._stop, self._count = StopEvent(), 0

    def read(self) -> Frame:
        self._stop.wait(0.02)
        self._count += 1
        made = frame(self._count, gray=200 if self._count % 7 == 0 else 0)
        return replace(
            made, captured_ns=time.monotonic_ns(), encoder=-10 * self._count,
            part_id=f"lid-{self._count}",
        )  # fmt: skip


class Running:
    """A whole station around the stub of an engine, in this process."""

    def __init__(
        self, folder: Path, changeover: Changeover | None = None, **values: object
    ) -> None:
        port = free_ports(4)[0]
        given = {"endpoint": f"tcp://127.0.0.1:{port}", "data": folder, "ok_one_in": 10}
        self.settings = Station.model_validate(given | values)
        self.controls, self.stop = Controls(PRODUCT, changeover), StopEvent()
        self.endpoint, self._ready = str(self.settings.endpoint), StopEvent()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _camera(self) -> Camera:
        return Steady()

    def _work(self) -> None:
        """The loop's thread owns the log, so it opens it."""
        with ExitStack() as opened:
            writer, _, show = open_station(self.settings, PRODUCT, self.controls, opened)
            self._ready.set()
            pace = Pace(True, 1000, 10)
            run(self._camera(), MeanEngine(), writer, self.stop, pace, self.controls, show)

    def close(self) -> None:
        self.stop.set()
        self._thread.join()
