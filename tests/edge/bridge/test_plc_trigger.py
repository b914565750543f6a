"""The PLC triggers the camera through the bridge: at once, once, or not at all."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.bridge.line_requests import Failure
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.protocols.registers import WRITE, nothing_written, offset, pack, text_of
from edge.events.client import RequestClient
from edge.events.clock import MonotonicTime
from edge.events.event import Inspection
from edge.events.sockets import Sockets
from edge.station.control import Controls, control
from tests.support.bridge.modbus import Bridge, ended, valid
from tests.support.bridge.triggered_line import Told, TriggeredLine, wait
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.minimal_station import PRODUCT
from tests.support.ports import free_ports
from tests.support.running_station import Running

NOWHERE = "tcp://127.0.0.1:9"
ENOUGH = 20  # a machine that is busy for 50 ms refuses a trigger, and rightly


@pytest.fixture
def bridge(triggered_line: TriggeredLine) -> Iterator[Bridge]:
    made = Bridge(NOWHERE, "--control", triggered_line.endpoint)
    made.plc.write()
    yield made
    made.close()


def tried(bridge: Bridge, trigger_id: int, encoder: int = 0, part: bytes = b"") -> int:
    """What became of one trigger: 0 where it was given."""
    bridge.plc.trigger(trigger_id, encoder, part)
    return bridge.plc.until(lambda v: ended(v, trigger_id))["trigger_failed"]


def given(bridge: Bridge, first: int) -> int:
    """The first id from `first` on that a busy machine gave in time."""
    for trigger_id in range(first, first + ENOUGH):
        failed = tried(bridge, trigger_id, -trigger_id, b"A-7")
        if not failed:
            return trigger_id
        assert failed in (Failure.TOO_LATE, Failure.NO_ANSWER), Failure(failed)
        time.sleep(LATEST_S)  # until the next part
    raise AssertionError("none of them was given in time")


@needs_genicam
def test_plc_triggers_a_real_camera_and_its_ids_come_back_with_the_verdict(tmp_path: Path) -> None:
    with FakeGige() as gige, ExitStack() as stack:
        source = gige.source(trigger="software", trigger_deadline_ms=400)
        station = CameraStation(tmp_path, source, triggered=True)
        stack.callback(station.close)
        bridge = Bridge(station.endpoint)
        stack.callback(bridge.close)
        bridge.plc.until(lambda v: v["status"] & 1)

        def judged(trigger_id: int) -> dict[str, int] | None:
            if tried(bridge, trigger_id, -trigger_id, f"housing-{trigger_id}".encode()):
                return None
            got: list[Inspection] = []

            def there() -> bool:
                got[:] = [i for i in station.inspections() if i.trigger_id == trigger_id]
                return bool(got)

            wait_for(there)
            if got[0].verdict == "NO_VERDICT":
                return None  # the camera has just been started, or the machine was busy
            return bridge.plc.until(lambda v: valid(v) and v["trigger_id"] == trigger_id)

        tries = range(1001, 1021)
        trigger_id, found = next((n, v) for n in tries if (v := judged(n)) is not None)
        assert found["verdict"] in (1, 2)
        assert found["encoder"] - 2**32 == -trigger_id
        assert text_of(found["part_id"], 16) == f"housing-{trigger_id}"


def test_plc_trigger_of_before_the_bridge_and_half_an_id_photograph_nothing(
    triggered_line: TriggeredLine,
) -> None:
    bridge = Bridge(NOWHERE, "--control", triggered_line.endpoint)
    try:
        assert tried(bridge, 6) == Failure.STALE
        high, low = (offset(WRITE, "trigger_new") + i for i in (0, 1))
        for at, value in ((low, 7), (high, 1)):
            assert not bridge.plc._client.write_register(at, value).isError()
            assert bridge.plc.read()["trigger_seen"] == 6
        bridge.plc.trigger(6)
        last = given(bridge, 2**32 - ENOUGH)
        wait(lambda: triggered_line.ids)
        assert triggered_line.ids == [last]
    finally:
        bridge.close()


def test_plc_trigger_that_a_frozen_line_finds_in_its_socket_takes_no_picture(
    triggered_line: TriggeredLine, bridge: Bridge
) -> None:
    """SIGSTOP while the line's clock is known: the trigger itself is sent, and lies there."""
    first = given(bridge, 1)
    triggered_line.freeze()
    bridge.plc.trigger(100)
    found = bridge.plc.until(lambda v: v["trigger_failed"])
    assert found["trigger_failed"] == Failure.NO_ANSWER
    assert found["trigger_given"] == first
    for number in (101, 102, 103):
        assert tried(bridge, number) in (Failure.NO_ANSWER, Failure.TOO_LATE)
    triggered_line.thaw()
    last = given(bridge, 200)
    wait(lambda: last in triggered_line.ids)
    assert [n for n in triggered_line.ids if n > 50] == [last], (
        "nothing of the time that it stood still"
    )


@pytest.mark.parametrize("clock_known", [False, True])
def test_plc_trigger_waits_for_no_line_that_comes_up_meanwhile(clock_known: bool) -> None:
    """ZeroMQ hands over what was sent before anybody was there."""
    endpoint, told, controls = f"tcp://127.0.0.1:{free_ports(1)[0]}", Told(), Controls(PRODUCT)
    with ExitStack() as stack:
        controls.triggers = stack.enter_context(told.asked())
        line = RequestClient(endpoint, None, "--control", 2000)
        triggers = stack.enter_context(PlcTrigger(line))
        if clock_known:
            triggers._clock = MonotonicTime.now(), time.monotonic()
        attempt = triggers.begin(1)
        time.sleep(2 * LATEST_S)
        assert attempt.under_way
        sockets = stack.enter_context(Sockets())
        stack.enter_context(control(sockets, endpoint, controls))
        wait(lambda: not attempt.under_way)
        assert attempt.outcome.failure == Failure.TOO_LATE
        if clock_known:
            wait(lambda: [late.trigger_id for late in told.late] == [1])  # its event: NO_VERDICT
        wait(lambda: triggers.begin(int(time.monotonic_ns() >> 8)).outcome.failure or told.triggers)
        assert 1 not in [trigger.trigger_id for trigger in told.triggers]


def test_plc_write_that_a_frozen_bridge_finds_in_its_socket_triggers_nothing(
    triggered_line: TriggeredLine, bridge: Bridge
) -> None:
    given(bridge, 1)
    bridge.process.send_signal(signal.SIGSTOP)
    said = nothing_written() | {"trigger_new": 100, "plc_heartbeat": 7}
    registers = pack(WRITE, said, "high-first")
    body = bytes([0, 16, 0, 0, 0, len(registers), 2 * len(registers)])
    body += b"".join(word.to_bytes(2, "big") for word in registers)
    with socket.create_connection(("127.0.0.1", bridge.port)) as other:
        for number in (1, 2):
            other.sendall(bytes([0, number, 0, 0]) + len(body).to_bytes(2, "big") + body)
        time.sleep(3 * LATEST_S)
        bridge.process.send_signal(signal.SIGCONT)
        assert other.recv(100)
        wait(lambda: bridge.plc.read()["trigger_failed"] == Failure.TOO_LATE)
    last = given(bridge, 200)
    wait(lambda: last in triggered_line.ids)
    assert [n for n in triggered_line.ids if n > 50] == [last]


def test_plc_trigger_is_refused_where_the_camera_triggers_itself(station: Running) -> None:
    bridge = Bridge(station.endpoint)
    try:
        bridge.plc.until(valid)
        assert tried(bridge, 7) == Failure.REFUSED
        assert not bridge.plc.read()["trigger_given"]
        assert bridge.plc.until(valid)["verdict"], "verdicts go on"
    finally:
        said = bridge.close()
    assert "no picture for trigger 7: this line's camera is not triggered by the program" in said


def test_plc_triggers_a_line_on_paper() -> None:
    bridge = Bridge(NOWHERE, "--simulate", "20")
    try:
        bridge.plc.until(valid)
        for first in (5001, 5101, 5210):
            number = given(bridge, first)
            found = bridge.plc.until(lambda v, n=number: valid(v) and v["trigger_id"] == n)  # type: ignore[misc]
            assert found["verdict"] == (1 if number % 10 else 2)
            assert found["encoder"] == 2**32 - number
            assert text_of(found["part_id"], 16) == "A-7"
        before = bridge.plc.read()["inspected"]
        time.sleep(0.3)  # six parts at this rate
        assert bridge.plc.read()["inspected"] == before, "a triggered line gives none by itself"
    finally:
        bridge.close()
