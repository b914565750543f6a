"""The edge node at a real broker, heard by a host that decodes with another schema."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from edge.bridge.feed import BridgeError
from edge.bridge.line_requests import Failure
from edge.bridge.protocols import sparkplug_name, sparkplug_node
from edge.bridge.protocols.sparkplug_metrics import METRICS, NO_RESULT
from edge.bridge.protocols.sparkplug_name import DeathNumbers
from edge.bridge.protocols.sparkplug_node import Node
from edge.bridge.signals import Trouble
from edge.events.event import Inspection, Verdict
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.events import inspection
from tests.support.bridge.mqtt import Bridge, Broker, needs_mosquitto
from tests.support.bridge.sparkplug import Host, LiveNode, fast_names
from tests.support.running_station import Running
from tests.support.waiting import wait_until

pytestmark = needs_mosquitto


@pytest.fixture
def host(broker: Broker) -> Iterator[Host]:
    made = Host(broker)
    yield made
    made.close()
    assert made.mistakes == []


def serve(made: LiveNode) -> Iterator[LiveNode]:
    """Its threads; what ends them is raised."""
    with fast_names(), ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(made.watch), pool.submit(made.record)]
        try:
            yield made
        finally:
            made.stop()
            [end.result(20) for end in ends]
            made.close()


@pytest.fixture
def node(broker: Broker, host: Host, tmp_path: Path) -> Iterator[LiveNode]:
    yield from serve(LiveNode(broker, tmp_path))


def part(number: int, verdict: Verdict = "OK", age_s: float = 0.0) -> Inspection:
    at = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat(timespec="milliseconds")
    captured_ns = time.monotonic_ns() - int(age_s * 1e9)
    return inspection(number, verdict, captured_ns=captured_ns, captured_at=at)


def test_sparkplug_birth_data_and_what_is_no_verdict(host: Host, node: LiveNode) -> None:
    host.until(lambda h: h.of("DBIRTH"), "a birth")
    first = [one.kind for one in host.heard]
    assert first.index("NBIRTH") < first.index("DBIRTH")
    birth = host.of("DBIRTH")[0]
    assert set(birth.values) == set(METRICS)
    assert all(birth.values[name] is None for name in NO_RESULT), "a birth is no result"
    node.line.part(part(1))
    host.until(lambda h: h.now()["Result/Verdict"] == "OK", "the first result")
    shown = host.now()
    assert (shown["Result/Encoder"], shown["Result/Trigger ID"]) == (-5, 1001)
    assert (shown["Result/Product Number"], shown["Result/Score"]) == (1, 0.2)
    node.line.part(part(2, "NG"))
    host.until(lambda h: h.now()["Result/Verdict"] == "NG", "an NG")
    assert host.now()["Result/Defects"] == 1
    node.line.part(part(3, age_s=60.0))  # too late: for the archive alone
    host.until(lambda h: h.now()["State/Trouble"] == Trouble.EXPIRED, "a trouble")
    assert host.now()["Result/Verdict"] is None, "the verdict of the part before stays"
    host.until(lambda h: len(h.results()) == 3, "the late part")
    late = host.results()[2]
    assert late.historical == set(NO_RESULT)
    assert late.values["Result/Verdict"] == "OK"
    assert abs(late.metrics["Result/Verdict"].timestamp / 1000 - time.time() + 60) < 20
    assert host.now()["Result/Verdict"] is None, "a late OK is shown as the newest"
    node.line.part(part(4, "NO_VERDICT"))
    host.until(lambda h: h.now()["State/Trouble"] == Trouble.NO_VERDICT, "no verdict")
    host.until(lambda h: len(h.results()) == 4, "the part without a verdict")
    assert host.now()["Result/Verdict"] is None
    assert host.results()[3].values["Result/Code Name"] == "overrun"
    node.line.part(part(5))
    host.until(lambda h: h.now()["Result/Inspection ID"] == 5, "the next result")
    assert (host.now()["State/Trouble"], host.now()["Result/Verdict"]) == (0, "OK")
    time.sleep(0.1)
    assert [one.values["Result/Event"] for one in host.results()] == [1, 2, 3, 4, 5], "each once"


def test_sparkplug_station_gone_and_back_and_a_rebirth(host: Host, node: LiveNode) -> None:
    host.until(lambda h: h.of("DBIRTH"), "a birth")
    node.line.part(part(1))
    host.until(lambda h: h.now()["Result/Verdict"] == "OK", "a result")
    births = len(host.of("NBIRTH"))
    host.command("NCMD", "Node Control/Rebirth", boolean_value=True)
    host.until(lambda h: len(h.of("NBIRTH")) > births and h.heard[-1].kind != "NBIRTH", "rebirth")
    assert host.now()["Result/Verdict"] is None, "a rebirth is no result"
    assert len({one.values["bdSeq"] for one in host.of("NBIRTH")}) == 1
    births = len(host.of("NBIRTH"))
    host.command("NCMD", "Node Control/Reboot", boolean_value=True)
    host.command("NCMD", "Node Control/Rebirth", boolean_value=False)
    host.publish("NCMD", b"\xff\xff")
    node.line.beats = False
    host.until(lambda h: h.of("DDEATH"), "the station's death")
    node.line.part(part(2), live=False)
    count = len(host.of("DDATA"))
    time.sleep(0.2)
    assert len(host.of("DDATA")) == count, "data of a device that is dead"
    node.line.beats = True
    host.until(lambda h: len(h.results()) == 2, "what waited for the station")
    assert host.results()[1].historical
    assert len(host.of("NBIRTH")) == births


def test_sparkplug_broker_restart_and_a_name_that_is_taken(
    host: Host, node: LiveNode, broker: Broker, tmp_path: Path
) -> None:
    host.until(lambda h: h.of("DBIRTH"), "a birth")
    with pytest.raises(BridgeError, match=r"plant/press is taken at this broker by .*: stop that"):
        Node(broker.address, node.names, DeathNumbers(tmp_path / "2"), with_commands=False)
    number = host.bd_seq
    assert number is not None
    broker.kill()
    for one in range(1, 4):
        node.line.part(part(one))
    broker.start()
    host.until(lambda h: len(h.results()) >= 3, "what waited for the broker")
    assert all(one.historical for one in host.results())
    assert [one.values["Result/Event"] for one in host.results()] == [1, 2, 3]
    assert host.bd_seq is not None
    assert host.bd_seq > number, "each connection has a number of its own"
    deaths, births = len(host.of("NDEATH")), len(host.of("NBIRTH"))
    payload = node.node._death()
    host.publish("NDEATH", payload)  # somebody says that we are dead
    host.until(lambda h: len(h.of("NBIRTH")) > births and h.alive, "a new birth")
    node.stop()
    node.sparkplug.close()
    host.until(lambda h: len(h.of("NDEATH")) > deaths + 1 and not h.alive, "the death of the end")


def test_sparkplug_of_two_that_begin_at_once_one_goes_on(
    host: Host, broker: Broker, tmp_path: Path
) -> None:
    with patch.object(sparkplug_name, "check_free"), patch.object(sparkplug_node, "check_free"):
        made = [LiveNode(broker, tmp_path) for _ in range(2)]
    with fast_names(), ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(one.watch) for one in made]
        wait_until(lambda: any(end.done() for end in ends), "the end of one")
        loser = ends.index(next(end for end in ends if end.done()))
        with pytest.raises(BridgeError, match="is taken at this broker"):
            ends[loser].result()
        made[loser].close()
        winner = made[1 - loser]
        count = len(host.heard)
        host.until(
            lambda h: h.alive and any("State/Heartbeat" in one.values for one in h.heard[count:]),
            "the other",
        )
        host.mistakes.clear()  # both counted their messages until one had gone
        winner.line.part(part(1))
        host.until(lambda h: h.now()["Result/Verdict"] == "OK", "its result")
        assert host.bd_seq == winner.node._bd_seq
        winner.stop()
        assert ends[1 - loser].result(20) is None
        winner.close()


def test_sparkplug_product_change(host: Host, node: LiveNode) -> None:
    host.until(lambda h: h.of("DBIRTH"), "a birth")
    host.command("DCMD", "Product/Number", int_value=9)
    host.until(lambda h: h.now()["Product/Change Failure"] == Failure.UNKNOWN, "a refusal")
    host.command("DCMD", "Product/Number", int_value=2, retain=True)
    host.until(lambda h: h.now()["Product/Change State"] == "loading", "a change")
    host.until(lambda h: h.now()["Product/Change State"] == "done", "its end")
    answers = len(host.of("DDATA"))
    host.command("DCMD", "Product/Number", int_value=2)
    host.until(
        lambda h: any("Product/Change State" in one.values for one in h.of("DDATA")[answers:]),
        "each command is answered",
    )


def test_sparkplug_waits_for_the_primary_host(host: Host, broker: Broker, tmp_path: Path) -> None:
    for node in serve(LiveNode(broker, tmp_path, "scada")):
        node.line.part(part(1))
        time.sleep(0.3)
        assert not host.of("NBIRTH"), "born without its host"
        host.say_state("scada", True, 100)
        host.until(lambda h: h.results(), "what waited for the host")
        assert host.results()[0].historical or host.results()[0].values["Result/Event"] == 1
        number = host.bd_seq
        host.say_state("scada", False, 99)
        time.sleep(0.2)
        assert host.alive, "an old will of the host counts"
        host.say_state("scada", False, 101)
        host.until(lambda h: not h.alive, "the death without the host")
        node.line.part(part(2))
        host.say_state("scada", True, 102)
        host.until(lambda h: len(h.results()) == 2, "what waited again")
        assert host.bd_seq != number


@pytest.fixture
def bridge(station: Running, broker: Broker) -> Iterator[Bridge]:
    made = Bridge(station, broker, "--sparkplug", "plant/press")
    yield made
    made.process.kill()
    made.process.communicate()


def test_sparkplug_a_killed_bridge_is_seen_and_no_result_is_lost(
    bridge: Bridge, host: Host, tmp_path: Path
) -> None:
    host.until(lambda h: len(h.results()) > 20, "results")
    assert json.loads((tmp_path / "station-1" / "sparkplug.bdseq").read_text()) == host.bd_seq
    bridge.kill()
    host.until(lambda h: not h.alive, "the will")
    number = host.bd_seq
    bridge.start()
    host.until(lambda h: h.alive and h.bd_seq != number, "another birth")
    count = host.now()["Counts/Inspected"] or 0
    host.until(lambda h: (h.now()["Counts/Inspected"] or 0) > count + 20, "results")
    newest = host.now()["Result/Inspection ID"]
    host.until(lambda h: found(h) >= set(range(1, newest)), "every part")
    assert "Traceback" not in bridge.close()
    host.until(lambda h: not h.alive, "the death of the end")


def found(host: Host) -> set[int]:
    return {one.values["Result/Inspection ID"] for one in host.results()}


def test_sparkplug_mistakes_are_one_line_each(mistaken: Mistaken, tmp_path: Path) -> None:
    for words, says in (
        (["--sparkplug", "a/b/c"], "write it as plant or plant/node"),
        (["--sparkplug", ""], "--sparkplug is empty"),
        (["--sparkplug", "a/"], "cannot be a name"),
        (["--sparkplug", "a#"], "cannot be a name"),
        (["--sparkplug-host", "scada"], "belongs to --sparkplug"),
        (["--sparkplug", "a", "--sparkplug-host", "a/b"], "cannot be a host's id"),
    ):
        assert says in mistaken("mqtt", *words), words
    (tmp_path / "n").write_text("300")
    with pytest.raises(BridgeError, match="has no number from 0 to 255: delete it"):
        DeathNumbers(tmp_path / "n")
    (tmp_path / "n").write_text("255\n")
    assert [DeathNumbers(tmp_path / "n").next() for _ in range(3)] == [0, 1, 2]
