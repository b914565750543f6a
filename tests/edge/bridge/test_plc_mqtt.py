"""`draem bridge mqtt` between a real station and mosquitto, with a subscriber of paho's."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from edge.bridge.protocols import mqtt_name
from edge.bridge.protocols.mqtt import state_of
from edge.bridge.protocols.mqtt_name import check_free
from edge.bridge.signals import Signals
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.mqtt import Bridge, Broker, Ear, needs_mosquitto
from tests.support.ports import free_ports
from tests.support.running_station import Running

pytestmark = needs_mosquitto


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
    for event in ear.heard["result"]:
        trigger_id = event["trigger_id"]
        assert (event["encoder"], event["part_id"]) == (-10 * trigger_id, f"lid-{trigger_id}")
    state = ear.heard["state"][-1]
    assert (state["bridge"], state["online"], state["trouble"]) == (True, True, "none")


def test_plc_record_has_no_gap_whatever_is_killed(
    bridge: Bridge, broker: Broker, ear: Ear, station: Running
) -> None:
    for kill in (bridge.kill, broker.kill):
        count = len(ear.heard["record"])
        ear.until(lambda h, count=count: len(h["record"]) > count + 20)  # type: ignore[misc]
        kill()
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


def test_no_result_of_an_outage_comes_after_it(bridge: Bridge, broker: Broker, ear: Ear) -> None:
    ear.until(lambda h: h["result"])
    broker.kill()
    killed = time.monotonic_ns()
    time.sleep(0.3)  # results of fifteen parts
    broker.start()
    count = len(ear.heard["result"])
    ear.until(lambda h: len(h["result"]) > count + 5)
    lost = range(killed, killed + 150_000_000)
    assert not [event for event in ear.heard["result"] if event["captured_ns"] in lost]


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
    bridge: Bridge, ear: Ear, station: Running, broker: Broker, mistaken: Mistaken
) -> None:
    ear.until(lambda h: h["result"])
    where = ("--endpoint", station.endpoint, "--data", str(station.settings.data))
    words = ("mqtt", "--broker", f"127.0.0.1:{broker.port}", *where)
    assert "station-1 has an MQTT bridge already: stop that one" in mistaken(*words)
    other = mistaken(*words, "--station", "press-4")
    assert "the events of 'station-1', not of 'press-4'" in other


def test_a_second_bridge_of_a_name_is_refused_and_nothing_of_it_is_published(
    bridge: Bridge, ear: Ear, station: Running, broker: Broker, mistaken: Mistaken, tmp_path: Path
) -> None:
    """Of another machine, whose data folder and line are others: a gate acts on these topics."""
    ear.until(lambda h: h["result"] and h["state"][-1]["online"])
    words = ("mqtt", "--broker", f"127.0.0.1:{broker.port}", "--data", str(tmp_path / "other"))
    said = mistaken(*words, "--simulate", "20")
    assert "the name draem/station-1 is taken at this broker by the bridge" in said
    count = len(ear.heard["result"])
    ear.until(lambda h: len(h["result"]) > count + 5)
    assert {event["station"] for event in ear.heard["result"]} == {"station-1"}
    assert len({state["owner"] for state in ear.heard["state"]}) == 1
    assert all(state["bridge"] for state in ear.heard["state"]), "no will, no state of the other"
    assert "connection to the broker is lost" not in bridge.close(), "neither throws the other out"
    bridge.start()


def test_stations_of_one_name_under_two_prefixes_do_not_meet(
    bridge: Bridge, ear: Ear, station: Running, broker: Broker, tmp_path: Path
) -> None:
    other_ear = Ear(broker, "plant/hall-2")
    words = ("--data", str(tmp_path / "other"), "--topic-prefix", "plant/hall-2")
    other = Bridge(station, broker, *words)
    for heard in (ear, other_ear):
        heard.until(lambda h: len(h["result"]) > 5 and h["state"][-1]["online"])
    assert ear.heard["state"][-1]["owner"] != other_ear.heard["state"][-1]["owner"]
    at = datetime.fromisoformat(ear.heard["state"][-1]["at"])
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    other.close()
    other_ear.close()


def test_a_name_whose_bridge_has_vanished_is_free_again(broker: Broker, station: Running) -> None:
    """Its last state is still there: whether it comes again decides, and no person is needed."""
    state = json.dumps(state_of(Signals(), "vanished"))
    broker.publish("draem/station-1/state", state, retain=True)
    with patch.multiple(mqtt_name, LISTEN_S=0.3, WILL_S=0.3):
        check_free(broker.address, "draem/station-1")


def test_mistakes_are_one_line_each(tmp_path: Path, mistaken: Mistaken) -> None:
    port = free_ports(1)[0]
    empty = tmp_path / "empty"
    empty.write_text("nobody\n")
    for words, says in (
        (["--broker", f"127.0.0.1:{port}"], "cannot be reached"),
        (["--topic-prefix", "a/#"], "--topic-prefix 'a/#' cannot be a topic"),
        (["--topic-prefix", ""], "--topic-prefix is empty"),
        (["--topic-prefix", "/a"], "--topic-prefix '/a' cannot be a topic"),
        (["--station", "a/b"], "a name has at most"),
        (["--broker", "192.0.2.1:8883"], "name its certificate with --ca"),
        (["--login", str(empty)], "write user:password into it"),
        (["--broker", f"127.0.0.1:{port}", "--ca", str(tmp_path / "none")], "correct --ca"),
    ):
        assert says in mistaken("mqtt", *words), words
