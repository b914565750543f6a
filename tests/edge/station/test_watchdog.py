"""A line that hangs: systemd and the PLC notice, and a new process is started."""

import configparser
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event as StopEvent

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.engine import INFER_S, Inference
from edge.events.event import Fault, Inspection
from edge.station.loop import Pace, run
from edge.vision.frame import Frame
from tests.support.event_log import logged
from tests.support.hanging_engine import hanging_plan
from tests.support.minimal_station import PRODUCT, SIZE, MeanEngine, frame
from tests.support.recorded_events import RecordedEvents, StepCamera
from tests.support.release_files import build, make
from tests.support.service_manager import ServiceManager
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
        yield manager


class SometimesHanging(MeanEngine):
    """Does not return while `hang` is set."""

    def __init__(self) -> None:
        self.goes_on, self.hung = StopEvent(), StopEvent()
        self.goes_on.set()

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        if not self.goes_on.is_set():
            self.hung.set()
        self.goes_on.wait()
        return super().infer(batch)


def test_the_watchdog_is_fed_by_the_loop_alone(systemd: ServiceManager) -> None:
    """While the loop hangs other threads run, but neither watchdog nor heartbeat goes on."""
    engine, stop = SometimesHanging(), StopEvent()

    def picture(number: int) -> Frame:
        stop.wait(0.02)
        return frame(number)

    recorded = RecordedEvents()

    def line() -> None:
        pace = Pace(triggered=False, deadline_ms=1000)
        with recorded:
            run(StepCamera(picture), engine, recorded.writer(PRODUCT), stop, pace)

    thread = threading.Thread(target=line)
    thread.start()
    assert "STATUS=inspecting with lid version 1" in systemd.wait_for("READY=1")
    systemd.wait_for("WATCHDOG=1")
    systemd.wait_for("WATCHDOG=1")
    engine.goes_on.clear()
    assert engine.hung.wait(10)
    systemd.drain()
    heartbeats = len(recorded.heartbeats)
    assert systemd.next(1.5) is None
    assert len(recorded.heartbeats) == heartbeats
    engine.goes_on.set()
    systemd.wait_for("WATCHDOG=1")
    stop.set()
    systemd.wait_for("STOPPING=1")
    thread.join()


def station(tmp_path: Path, *pixels: int) -> list[str]:
    """The words of a line whose engine never returns from a picture that is not black."""
    product = make(tmp_path / "products")
    build(product, hanging_plan(product.manifest.height))
    (tmp_path / "parts").mkdir()
    for number, level in enumerate(pixels):
        image = np.full((SIZE, SIZE, 3), level, np.uint8)
        cv2.imwrite(str(tmp_path / "parts" / f"{number}.png"), image)
    quiet = ("--endpoint", f"ipc://{tmp_path}/events", "--flavour", "openvino")
    return ["run", "--product", "lid", "--source", "parts", *quiet]


def test_an_engine_that_never_returns_ends_the_line_with_a_fault(tmp_path: Path) -> None:
    words = station(tmp_path, 0, 200, 0)
    code = "import sys, draem; from edge.engine import openvino; openvino.INFER_S = 1; "
    command = [sys.executable, "-c", f"{code} sys.exit(draem.main(sys.argv[1:]))", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("draem: OpenVINO has not answered for 1 s")
    headers = logged(tmp_path / "data" / "station-1")
    codes = [h.code.name for h in headers if isinstance(h, Inspection | Fault)]
    assert codes == ["none", "engine", "engine"]
    verdicts = [h.verdict for h in headers if isinstance(h, Inspection)]
    assert verdicts == ["OK", "NO_VERDICT"]


def test_a_stopped_process_feeds_no_watchdog(tmp_path: Path, systemd: ServiceManager) -> None:
    words = station(tmp_path)
    words[words.index("parts")] = "line://moulded?rate=20"
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "draem", *words], cwd=tmp_path, stderr=log)
    try:
        systemd.wait_for("READY=1")
        systemd.wait_for("WATCHDOG=1")
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: _state(process.pid) == "T", "stopped")
        systemd.drain()
        assert systemd.next(1.5) is None
    finally:
        process.kill()
        process.wait()
        log.close()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_line_without_systemd_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does an address that nobody reads end it."""
    make(tmp_path / "products")
    for address in ("", "/nowhere/notify", "@draem-nobody", "relative", "x" * 200):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        with RecordedEvents() as recorded:
            writer = recorded.writer(PRODUCT)
            stop = StopEvent()
            stop.set()
            run(StepCamera(frame), MeanEngine(), writer, stop, Pace(True, 1000))
            assert recorded.headers[-1].kind == "status"


@pytest.mark.parametrize("name", ["draem.service", "draem@.service", "draem-archive.service"])
def test_the_unit_has_a_watchdog_that_is_longer_than_the_deadline_of_an_engine(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((ROOT / "deploy" / name).read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert int(service["WatchdogSec"]) >= 2 * INFER_S
