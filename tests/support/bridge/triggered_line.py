"""A line whose camera is triggered by the program, in a process of its own: it tells each trigger.

python -m tests.support.bridge.triggered_line tcp://127.0.0.1:5572
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from threading import Event as StopEvent
from threading import Thread
from typing import Any, cast

from edge.base.closeable import Closeable
from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import Trigger, TriggerMatcher
from edge.events.codes import Code
from edge.events.sockets import Sockets
from edge.station.control import Controls, control
from tests.support.minimal_station import PRODUCT


class Told:
    """In the place of a camera: each trigger, and when it was told."""

    def __init__(self) -> None:
        self.triggers: list[Trigger] = []
        self.late: list[Trigger] = []

    def trigger(self, trigger: Trigger) -> None:
        self.triggers.append(trigger)

    def reject(self, trigger: Trigger, code: Code) -> None:
        self.late.append(trigger)

    def asked(self) -> SoftwareTriggers:
        return SoftwareTriggers(self.trigger, cast(TriggerMatcher, self))


class Printed(Told):
    def trigger(self, trigger: Trigger) -> None:
        print(json.dumps(asdict(trigger)), flush=True)


class TriggeredLine(Closeable):
    """The process: killed, frozen, and started again at the same address."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self.triggers = endpoint, list[dict[str, Any]]()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.support.bridge.triggered_line", self.endpoint]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self._reader = Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.triggers.append(json.loads(line))

    @property
    def ids(self) -> list[int]:
        return [trigger["trigger_id"] for trigger in self.triggers]

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        # Until then it may still answer.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def close(self) -> None:
        self.kill()


def wait(due: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not due():
        assert time.monotonic() < end
        time.sleep(0.005)


def main(endpoint: str) -> None:
    controls, stop = Controls(PRODUCT), StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Sockets() as sockets, Printed().asked() as asked, control(sockets, endpoint, controls):
        controls.triggers = asked
        print("ready", flush=True)
        stop.wait()


if __name__ == "__main__":
    main(sys.argv[1])
