"""Real cameras for tests: Aravis's GigE Vision camera on loopback, network video, and a station."""

import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import Camera
from edge.camera.open import open_camera
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.events.event import AnyHeader, Fault, Inspection, decode
from edge.events.journal import JournalError
from edge.events.journal_reader import JournalReader
from edge.product.product import Product
from edge.station.loop import Pace, run
from edge.station.open import open_station
from tests.support.minimal_station import PRODUCT, MeanEngine
from tests.support.running_station import Running

FAKE = "arv-fake-gv-camera-0.8"
LOCK = Path(tempfile.gettempdir()) / "draem-fake-camera.lock"


def why_no_genicam() -> str:
    """What is missing for tests with a GigE Vision camera; empty where they can run."""
    if shutil.which(FAKE) is None:
        return "no simulated GigE Vision camera: sudo apt-get install aravis-tools"
    try:
        from edge.camera.genicam.aravis import load

        load()
    except CameraError as error:
        return str(error)
    return ""


def why_no_gstreamer() -> str:
    """What is missing for tests with GStreamer; empty where they can run."""
    try:
        import gi

        gi.require_version("GstRtspServer", "1.0")
    except ImportError:
        return "no PyGObject: apt-get install libgirepository1.0-dev libcairo2-dev, ./just setup"
    except ValueError:
        return "no RTSP server: sudo apt-get install gir1.2-gst-rtsp-server-1.0"
    return ""


needs_genicam = pytest.mark.skipif(bool(why_no_genicam()), reason=why_no_genicam() or "it runs")
needs_gstreamer = pytest.mark.skipif(
    bool(why_no_gstreamer()), reason=why_no_gstreamer() or "it runs"
)


needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="no ffmpeg: sudo apt-get install ffmpeg"
)


def wait_for(what: Callable[[], bool], seconds: float = 10) -> float:
    """Until it is so; how long that took."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() < start + seconds, "it did not come to pass in time"
        time.sleep(0.01)
    return time.monotonic() - start


class FakeGige(Closeable):
    """The camera as a process, with a loopback address of its own where we may make one.

    Otherwise they all need 127.0.0.1, one after the other. It is killed, frozen and started again.
    """

    def __init__(self, lost_per_thousand: float = 0) -> None:
        self._lost = lost_per_thousand
        self._lock: IO[str] | None = None
        self.address = self._own_address() or self._shared_address()
        self.serial = f"T{random.randrange(10**6)}"
        self.process = self._start()

    def _own_address(self) -> str | None:
        address = f"127.77.{random.randrange(256)}.{random.randrange(2, 250)}"
        self._made = ["ip", "addr", "add", f"{address}/8", "dev", "lo"]
        if shutil.which("ip") is None or os.geteuid() != 0:
            return None
        done = subprocess.run(self._made, capture_output=True, check=False)
        return address if done.returncode == 0 else None

    def _shared_address(self) -> str:
        self._lock = LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return "127.0.0.1"

    def _start(self) -> "subprocess.Popen[bytes]":
        words = [FAKE, "-i", self.address, "-s", self.serial]
        return subprocess.Popen([*words, "-r", str(self._lost)], stdout=subprocess.DEVNULL)

    def source(self, **settings: object) -> str:
        """Its address for --source."""
        query = "&".join(f"{key}={value}" for key, value in settings.items())
        return f"genicam://{self.address}?{query}"

    def kill(self) -> None:
        """As when the cable is pulled: nothing is said."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self.kill()
        if self._lock is not None:
            self._lock.close()
        else:
            self._made[2] = "del"
            subprocess.run(self._made, capture_output=True, check=False)


class Server(Closeable):
    """A process that serves video, to be killed and started again."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def restart(self) -> None:
        """Again, from nothing."""
        self.close()
        self.process = self._start()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def mjpeg(port: int, picture: str = "testsrc2=size=320x240:rate=25") -> Server:
    """ffmpeg as a camera that serves MJPEG over HTTP, to one viewer."""
    at = f"http://127.0.0.1:{port}/video"
    lavfi = ("ffmpeg", "-re", "-f", "lavfi", "-i", picture)
    return Server(*lavfi, "-q:v", "3", "-f", "mpjpeg", "-listen", "1", at)


def rtsp(port: int) -> Server:
    """GStreamer's RTSP server with a ball that moves."""
    return Server(sys.executable, "-m", "tests.support.rtsp_server", str(port))


class CameraStation(Running):
    """A whole station over a real camera; the engine takes the mean."""

    def __init__(
        self,
        folder: Path,
        source: str,
        *,
        triggered: bool = False,
        product: Product = PRODUCT,
        **more: object,
    ) -> None:
        self.source, self.triggered, self.product = source, triggered, product
        self.camera: Camera | None = None
        self.error: BaseException | None = None
        self._read: list[AnyHeader] = []
        super().__init__(folder, None, source=source, ok_one_in=0, ring=0, **more)
        self._folder = folder / str(self.settings.station)
        wait_for(lambda: self.camera is not None or self.error is not None)
        if self.error is not None:
            self.close()
            raise self.error

    def _work(self) -> None:
        with ExitStack() as opened:
            writer, _, show = open_station(self.settings, self.product, self.controls, opened)
            self._ready.set()
            deadline = self.settings.read_deadline_ms
            try:
                camera = opened.enter_context(
                    open_camera(self.source, triggered=self.triggered, deadline_ms=deadline)
                )
                self.camera = camera
                if isinstance(camera, ReconnectingCamera) and camera.takes_triggers:
                    self.controls.triggers = opened.enter_context(SoftwareTriggers(camera))
                pace = Pace(self.triggered, deadline, 10)
                run(camera, MeanEngine(), writer, self.stop, pace, self.controls, show)
            except BaseException as error:  # noqa: BLE001  the test raises it
                self.error = error

    def told(self) -> list[AnyHeader]:
        """All events of the log so far."""
        try:
            with JournalReader(self._folder) as reader:
                after = self._read[-1].seq if self._read else 0
                self._read += [decode(message).header for message in reader.page(after, 10**6)]
        except JournalError:
            pass  # it is not there yet
        return self._read

    def faults(self) -> list[Fault]:
        return [header for header in self.told() if isinstance(header, Fault)]

    def fault_names(self) -> list[str]:
        return [fault.code.name for fault in self.faults()]

    def inspections(self) -> list[Inspection]:
        return [header for header in self.told() if isinstance(header, Inspection)]

    def verdicts(self) -> int:
        """How many frames were judged so far."""
        return self.controls.verdicts["OK"] + self.controls.verdicts["NG"]
