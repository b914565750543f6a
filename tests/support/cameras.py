"""Real cameras for tests: Aravis's GigE Vision camera on loopback, and a whole station.

The GigE Vision camera gets a loopback address of its own where the tests run as root.
"""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import pytest

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import Camera
from edge.camera.genicam.aravis import GVCP_PORT, load, open_device
from edge.camera.open import open_camera
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.events.encoding import decode
from edge.events.event import AnyHeader, Fault, Inspection
from edge.events.journal import JournalError
from edge.events.journal_reader import JournalReader
from edge.product.product import Product
from edge.station.loop import Pace, run
from edge.station.open import open_station
from tests.support.minimal_station import PRODUCT, MeanEngine
from tests.support.running_station import Running

FAKE = "arv-fake-gv-camera-0.8"
LOCK = Path(tempfile.gettempdir()) / "draem-fake-camera.lock"


def missing_for_genicam() -> str:
    """What is missing for tests with a GigE Vision camera; empty where they can run."""
    if shutil.which(FAKE) is None:
        return "no simulated GigE Vision camera: sudo apt-get install aravis-tools"
    try:
        load()
    except CameraError as error:
        return str(error)
    return ""


def missing_for_gstreamer() -> str:
    """What is missing for tests with GStreamer; empty where they can run."""
    try:
        import gi

        gi.require_version("GstRtspServer", "1.0")
    except ImportError:
        return "no PyGObject: apt-get install libgirepository1.0-dev libcairo2-dev, ./just setup"
    except ValueError:
        return "no RTSP server: sudo apt-get install gir1.2-gst-rtsp-server-1.0"
    return ""


def _needs(missing: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(missing), reason=missing or "it runs")


needs_genicam = _needs(missing_for_genicam())
needs_gstreamer = _needs(missing_for_gstreamer())
needs_ffmpeg = _needs("" if shutil.which("ffmpeg") else "no ffmpeg: sudo apt-get install ffmpeg")


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> float:
    """Wait until it holds; returns how long that took in seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - start


DEFAULTS = {"x": 0, "y": 0, "width": 256, "height": 256, "exposure_us": 10_000}
"""A region whose frames fit into the buffer of an ordinary socket, and a picture that changes."""


def _open_without_packet_socket(library: Any, name: str) -> Any:
    """As Aravis works for users other than root.

    Root gets a packet socket, whose ring buffer gives the first frame of about every second
    connection on loopback only after 25 MB, which are 4 s.
    """
    camera = open_device(library, name)
    camera.gv_set_stream_options(library.GvStreamOption.PACKET_SOCKET_DISABLED)
    return camera


class FakeGige(Closeable):
    """The camera as a process, which can be killed, frozen and started again.

    It has a loopback address of its own where we may make one. Otherwise all tests share
    127.0.0.1, one after the other. With `packet_socket` its frames are received as root does.
    """

    def __init__(self, lost_per_thousand: float = 0, *, packet_socket: bool = False) -> None:
        self._lost = lost_per_thousand
        self._defaults: dict[str, object] = {} if packet_socket else {**DEFAULTS}
        opening = open_device if packet_socket else _open_without_packet_socket
        self._patch = patch("edge.camera.genicam.camera.open_device", opening)
        self._patch.start()
        self._lock: IO[str] | None = None
        self.address = self._own_address() or self._shared_address()
        self.serial = f"T{random.randrange(10**6)}"
        self.process = self._start()
        wait_for(self._listens)  # Aravis would wait for seconds to connect again

    def _own_address(self) -> str | None:
        if shutil.which("ip") is None or os.geteuid() != 0:
            return None
        for _ in range(5):  # another test process may have the address
            address = f"127.77.{random.randrange(256)}.{random.randrange(2, 250)}"
            self._made = ["ip", "addr", "add", f"{address}/8", "dev", "lo"]
            if subprocess.run(self._made, capture_output=True, check=False).returncode == 0:
                return address
        return None

    def _shared_address(self) -> str:
        self._lock = LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return "127.0.0.1"

    def _start(self) -> "subprocess.Popen[bytes]":
        words = [FAKE, "-i", self.address, "-s", self.serial]
        return subprocess.Popen([*words, "-r", str(self._lost)], stdout=subprocess.DEVNULL)

    def _listens(self) -> bool:
        """Whether its control port is bound, as Linux lists it: the address in reverse, in hex."""
        reverse = socket.inet_aton(self.address)[::-1].hex().upper()
        return f"{reverse}:{GVCP_PORT:04X}" in Path("/proc/net/udp").read_text(encoding="ascii")

    def source(self, **settings: object) -> str:
        """Its address for --source, with DEFAULTS for what is not given."""
        options = self._defaults | settings
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"genicam://{self.address}?{query}"

    def kill(self) -> None:
        """As when the cable is pulled: it says no goodbye."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self._start()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._patch.stop()
        self.thaw()
        self.kill()
        if self._lock is not None:
            self._lock.close()
        else:
            self._made[2] = "del"
            subprocess.run(self._made, capture_output=True, check=False)


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
                if triggers := SoftwareTriggers.of(camera):
                    self.controls.triggers = opened.enter_context(triggers)
                pace = Pace(self.triggered, deadline, 10)
                run(camera, MeanEngine(), writer, self.stop, pace, self.controls, show)
            except BaseException as error:  # noqa: BLE001  the test raises it
                self.error = error

    def events(self) -> list[AnyHeader]:
        """All events of the log so far."""
        try:
            with JournalReader(self._folder) as reader:
                after = self._read[-1].seq if self._read else 0
                self._read += [decode(message).header for message in reader.page(after, 10**6)]
        except JournalError:
            pass  # it is not there yet
        return self._read

    @property
    def reconnecting(self) -> ReconnectingCamera:
        assert isinstance(self.camera, ReconnectingCamera)
        return self.camera

    def wait_until_triggerable(self) -> None:
        """The camera was just started, or is restarted: it takes no trigger for 0.1 s."""
        matcher = self.reconnecting.matcher
        assert matcher is not None
        wait_for(lambda: not matcher.needs_restart and matcher._clock() >= matcher._ready_ns)

    def faults(self) -> list[Fault]:
        return [header for header in self.events() if isinstance(header, Fault)]

    def fault_names(self) -> list[str]:
        return [fault.code.name for fault in self.faults()]

    def inspections(self) -> list[Inspection]:
        return [header for header in self.events() if isinstance(header, Inspection)]

    def verdicts(self) -> int:
        """How many frames have a verdict OK or NG so far."""
        return self.controls.verdicts["OK"] + self.controls.verdicts["NG"]
