"""mosquitto, a subscriber of paho's and `draem bridge mqtt`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt import publish
from paho.mqtt.enums import CallbackAPIVersion

from edge.bridge.protocols.mqtt_session import Broker as Address
from tests.support.ports import free_ports
from tests.support.running_station import Running

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="no mosquitto here: sudo apt-get install mosquitto"
)


class Broker:
    """mosquitto on a port that stays across restarts."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_ports(1)[0]
        self._file = folder / "mosquitto.conf"
        anyone = [] if lines else ["allow_anonymous true"]
        self._file.write_text(
            "\n".join([f"user {getuser()}", f"listener {self.port} 127.0.0.1", *anyone, *lines])
        )
        self.start()

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        """From a client that ends at once."""
        publish.single(topic, payload, 1, retain, hostname="127.0.0.1", port=self.port)

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < end, "mosquitto does not listen"
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Ear:
    """A subscriber that keeps everything of one station."""

    def __init__(self, broker: Broker, prefix: str = "draem") -> None:
        self._prefix = prefix
        self.heard: dict[str, list[dict[str, Any]]] = {"state": [], "result": [], "record": []}
        name = f"ear-{prefix}"
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self._client.on_connect = self._begin
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", broker.port)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()

    def _begin(self, *_: Any) -> None:
        self._client.subscribe(f"{self._prefix}/station-1/#", qos=1)

    def _keep(self, client: Any, userdata: Any, message: Any) -> None:
        self.heard.setdefault(message.topic.rsplit("/")[-1], []).append(json.loads(message.payload))

    def until(self, due: Callable[[dict[str, list[dict[str, Any]]]], Any]) -> None:
        end = time.monotonic() + 20
        while not due(self.heard):
            assert time.monotonic() < end, {k: v[-1:] for k, v in self.heard.items()}
            time.sleep(0.02)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Bridge:
    def __init__(self, station: Running, broker: Broker, *words: str) -> None:
        data = Path(station.settings.data)
        self._command = [
            sys.executable, "-m", "draem", "bridge", "mqtt", "--endpoint", station.endpoint,
            "--data", str(data), "--broker", f"127.0.0.1:{broker.port}", *words,
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def close(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=15)[1]
