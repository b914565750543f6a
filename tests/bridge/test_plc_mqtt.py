"""`draem bridge mqtt` between a real station and mosquitto, with a subscriber of paho's."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from getpass import getuser
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos import free_ports
from tests.conftest import draem
from tests.edge.running import Running

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(
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

    def __init__(self, broker: Broker) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = {"state": [], "result": [], "record": []}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "ear", clean_session=False)
        self._client.on_connect = self._begin
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", broker.port)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()

    def _begin(self, *_: Any) -> None:
        self._client.subscribe("draem/station-1/#", qos=1)

    def _keep(self, client: Any, userdata: Any, message: Any) -> None:
        self.heard[message.topic.rsplit("/")[-1]].append(json.loads(message.payload))

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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def ear(broker: Broker) -> Iterator[Ear]:
    made = Ear(broker)
    yield made
    made.close()


@pytest.fixture
def bridge(station: Running, broker: Broker, ear: Ear) -> Iterator[Bridge]:
    made = Bridge(station, broker)
    yield made
    made.close()


def numbers(found: list[dict[str, Any]]) -> list[int]:
    """The numbers of a record without the repeats that QoS 1 allows."""
    kept: list[int] = []
    for event in found:
        if not kept or event["seq"] != kept[-1]:
            kept.append(event["seq"])
    return kept


def test_results_state_and_record_come_from_the_first(bridge: Bridge, ear: Ear) -> None:
    ear.until(lambda h: len(h["record"]) > 50 and len(h["result"]) > 30)
    assert numbers(ear.heard["record"]) == list(range(1, len(numbers(ear.heard["record"])) + 1))
    assert {event["kind"] for event in ear.heard["record"]} >= {"status", "inspection"}
    ids = [event["inspection_id"] for event in ear.heard["result"]]
    assert ids == sorted(set(ids))
    assert {event["verdict"] for event in ear.heard["result"]} == {"OK", "NG"}
    state = ear.heard["state"][-1]
    assert (state["bridge"], state["online"], state["trouble"]) == (True, True, "none")


def test_plc_record_has_no_gap_whatever_is_killed(
    bridge: Bridge, broker: Broker, ear: Ear, station: Running
) -> None:
    for kill in (bridge.kill, broker.kill, bridge.kill):
        count = len(ear.heard["record"])
        ear.until(lambda h, count=count: len(h["record"]) > count + 20)  # type: ignore[misc]
        kill()
        time.sleep(0.5)
        if kill == broker.kill:
            broker.start()
        else:
            bridge.start()
    count = len(ear.heard["record"])
    ear.until(lambda h: len(h["record"]) > count + 40)
    record = numbers(ear.heard["record"])
    assert record == sorted(set(record))
    gaps = [(a, b) for a, b in pairwise(record) if b != a + 1]
    # mosquitto keeps nothing here: what it had acknowledged and not passed on died with it.
    assert len(gaps) <= 1, gaps


def test_a_bridge_that_is_killed_is_told_by_its_will(bridge: Bridge, ear: Ear) -> None:
    ear.until(lambda h: h["state"] and h["state"][-1]["online"])
    bridge.kill()
    ear.until(lambda h: h["state"][-1]["trouble"] == "bridge_gone")
    assert not ear.heard["state"][-1]["ready"]
    bridge.start()
    ear.until(lambda h: h["state"][-1]["online"])
    assert "Traceback" not in bridge.close()
    ear.until(lambda h: h["state"][-1]["trouble"] == "bridge_gone")
    bridge.start()


def test_a_silent_line_is_told_and_no_old_result_comes_after_an_outage(
    bridge: Bridge, broker: Broker, ear: Ear, station: Running
) -> None:
    ear.until(lambda h: h["result"])
    broker.kill()
    time.sleep(2)
    broker.start()
    count = len(ear.heard["result"])
    ear.until(lambda h: len(h["result"]) > count + 5)
    now = time.monotonic_ns()
    oldest = max(now - event["captured_ns"] for event in ear.heard["result"][count:])
    assert oldest < 1.5e9, "one of the outage was handed over"
    station.stop.set()
    ear.until(lambda h: h["state"][-1]["trouble"] == "line_silent")


def test_a_login_is_asked_for_and_never_shown(tmp_path: Path, station: Running) -> None:
    passwords = tmp_path / "passwords"
    tool = shutil.which("mosquitto_passwd")
    assert tool is not None
    subprocess.run([tool, "-b", "-c", str(passwords), "plant", "s3cret-word"], check=True)
    passwords.chmod(0o644)
    broker = Broker(tmp_path, f"password_file {passwords}")
    login = tmp_path / "login"
    try:
        for word in ("wrong-word", "s3cret-word"):
            login.write_text(f"plant:{word}\n")
            bridge = Bridge(station, broker, "--login", str(login))
            end = time.monotonic() + 15
            while word == "s3cret-word" and time.monotonic() < end:
                if (Path(station.settings.data) / "station-1" / "mqtt.cursor").exists():
                    break
                time.sleep(0.05)
            if word == "wrong-word":
                bridge.process.wait(20)
            said = bridge.close()
            assert word not in said
            assert ("refuses us" in said) == (word == "wrong-word"), said
            assert "Traceback" not in said
    finally:
        broker.kill()


def test_one_bridge_a_station_and_no_other_stations_verdicts(
    bridge: Bridge, ear: Ear, station: Running, broker: Broker
) -> None:
    ear.until(lambda h: h["result"])
    second = Bridge(station, broker)
    assert second.process.wait(15) == 2
    assert "station-1 has an MQTT bridge already: stop that one" in second.close()
    other = Bridge(station, broker, "--station", "press-4")
    assert other.process.wait(15) == 2
    assert "the events of 'station-1', not of 'press-4'" in other.close()


def test_mistakes_are_one_line_each(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    empty = tmp_path / "empty"
    empty.write_text("nobody\n")
    for words, says in (
        (["--broker", f"127.0.0.1:{port}"], "cannot be reached"),
        (["--broker", "192.0.2.1:8883"], "name its certificate with --ca"),
        (["--login", str(empty)], "write user:password into it"),
        (["--broker", f"127.0.0.1:{port}", "--ca", str(tmp_path / "none")], "correct --ca"),
    ):
        done = draem("bridge", "mqtt", *words, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
