"""The PLC triggers the camera through the bridge: at once, once, or not at all."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from asyncua.client.client import Client
from pydantic import BaseModel
from snap7.client import Client as S7Client

from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import PlcCommand
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.registers import WRITE, nothing_written, offset, pack, text_of
from edge.bridge.protocols.s7 import exchange
from edge.bridge.simulated_line import SimulatedLine, simulated
from edge.events.client import RequestClient
from edge.events.clock import MonotonicTime
from edge.events.control_messages import TriggerRequest
from edge.events.event import Inspection
from edge.events.sockets import Sockets
from edge.station.control import Controls, control
from tests.edge.bridge.test_plc_recipes import begin
from tests.edge.bridge.test_plc_s7 import BLOCK
from tests.edge.bridge.test_plc_s7 import Plc as S7Plc
from tests.support.bridge.modbus import Bridge, triggering, valid
from tests.support.bridge.opcua import Bridge as OpcuaBridge
from tests.support.bridge.opcua import connected
from tests.support.bridge.triggered_line import Told, TriggeredLine, wait
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.minimal_station import PRODUCT
from tests.support.ports import free_ports
from tests.support.running_station import Running

NOWHERE = "tcp://127.0.0.1:9"
ENOUGH = 20  # a machine that is busy for 50 ms refuses a trigger, and rightly


@pytest.fixture
def line() -> Iterator[TriggeredLine]:
    with TriggeredLine(f"tcp://127.0.0.1:{free_ports(1)[0]}") as made:
        yield made


@pytest.fixture
def bridge(line: TriggeredLine) -> Iterator[Bridge]:
    made = Bridge(NOWHERE, "--control", line.endpoint)
    made.plc.write()
    yield made
    made.close()


def ended(found: dict[str, int], trigger_id: int) -> bool:
    failed = found["trigger_seen"] == trigger_id and bool(found["trigger_failed"])
    return found["trigger_given"] == trigger_id or failed


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
    line: TriggeredLine,
) -> None:
    bridge = Bridge(NOWHERE, "--control", line.endpoint)
    try:
        assert tried(bridge, 6) == Failure.STALE
        high, low = (offset(WRITE, "trigger_new") + i for i in (0, 1))
        for at, value in ((low, 7), (high, 1)):
            assert not bridge.plc._client.write_register(at, value).isError()
            assert bridge.plc.read()["trigger_seen"] == 6
        bridge.plc.trigger(6)
        last = given(bridge, 2**32 - ENOUGH)
        wait(lambda: line.ids)
        assert line.ids == [last]
    finally:
        bridge.close()


def test_plc_trigger_that_a_frozen_line_finds_in_its_socket_takes_no_picture(
    line: TriggeredLine, bridge: Bridge
) -> None:
    """SIGSTOP while the line's clock is known: the trigger itself is sent, and lies there."""
    first = given(bridge, 1)
    line.freeze()
    bridge.plc.trigger(100)
    found = bridge.plc.until(lambda v: v["trigger_failed"])
    assert found["trigger_failed"] == Failure.NO_ANSWER
    assert found["trigger_given"] == first
    for number in (101, 102, 103):
        assert tried(bridge, number) in (Failure.NO_ANSWER, Failure.TOO_LATE)
    line.thaw()
    last = given(bridge, 200)
    wait(lambda: last in line.ids)
    assert [n for n in line.ids if n > 50] == [last], "nothing of the time that it stood still"


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
    line: TriggeredLine, bridge: Bridge
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
    wait(lambda: last in line.ids)
    assert [n for n in line.ids if n > 50] == [last]


def test_plc_triggers_over_opcua(line: TriggeredLine, station: Running) -> None:
    async def talk(bridge: OpcuaBridge) -> None:
        client = Client(bridge.url)
        system, space = await connected(client)

        async def trigger(*words: Any) -> list[Any]:
            found: list[Any] = await system.call_method(f"{space}:Trigger", *words)
            return found

        for number in range(5, 5 + ENOUGH):
            given, error = await trigger(number, -9, "A-7")
            if given:
                break
            await asyncio.sleep(LATEST_S)
        assert (given, error) == (True, 0)
        wait(lambda: line.triggers)
        assert line.triggers[-1] == {"trigger_id": number, "encoder": -9, "part_id": "A-7"}
        assert await trigger(number, -9, "A-7") == [False, -Failure.REPEATED]
        for words in ((0, 0, ""), (-1, 0, ""), (900, 0, 300 * "x"), (True, 0, ""), ("7", 0, "")):
            assert await trigger(*words) == [False, -Failure.REFUSED], words
        line.freeze()
        two = await asyncio.gather(trigger(1000, 0, ""), trigger(1001, 0, ""))
        assert list(two) == [[False, -Failure.NO_ANSWER], [False, -Failure.TOO_LATE]], "one by one"
        line.thaw()
        for number in range(1002, 1002 + ENOUGH):
            if (await trigger(number, 0, ""))[0]:
                break
            await asyncio.sleep(LATEST_S)
        wait(lambda: number in line.ids)
        assert not {1000, 1001} & set(line.ids)
        assert line.triggers[-1]["part_id"] is None
        bridge.process.send_signal(signal.SIGSTOP)
        asked = asyncio.create_task(trigger(2000, 0, ""))
        await asyncio.sleep(3 * LATEST_S)
        bridge.process.send_signal(signal.SIGCONT)
        assert await asked == [False, -Failure.TOO_LATE], "it lay in the socket of the bridge"
        assert 2000 not in line.ids
        await client.disconnect()

    bridge = OpcuaBridge(station, "--control", line.endpoint)
    try:
        asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
    assert "Traceback" not in said


def test_plc_triggers_over_s7(line: TriggeredLine, station: Running, tmp_path: Path) -> None:
    with ExitStack() as stack:
        plc = S7Plc()
        stack.callback(plc.stop)
        plc.trigger = triggering(3, 0, b"")
        plc.write()
        words = ("s7", "--s7", f"127.0.0.1:{plc.port}", "--block", str(BLOCK))
        begin(stack, station, tmp_path, *words, "--control", line.endpoint)

        def tries(number: int, part: bytes = b"") -> int:
            plc.trigger = triggering(number, -number, part)
            found = plc.until(lambda v: ended(v, number))
            time.sleep(LATEST_S)
            return found["trigger_failed"] if found["trigger_seen"] == number else 0

        assert tries(3) == Failure.STALE
        first = next(n for n in range(10, 10 + ENOUGH) if not tries(n, b"A-7"))
        wait(lambda: line.triggers)
        assert line.triggers == [{"trigger_id": first, "encoder": -first, "part_id": "A-7"}]
        plc.stop()
        plc.trigger = triggering(100, 0, b"")  # nobody can read it for a while
        plc.write()
        time.sleep(3 * LATEST_S)
        plc.start()
        found = plc.until(lambda v: ended(v, 100), 20)
        assert found["trigger_failed"] == Failure.TOO_LATE
        last = next(n for n in range(200, 200 + ENOUGH) if not tries(n))
        wait(lambda: last in line.ids)
        assert line.ids == [first, last]


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


class Torn:
    """An S7 client whose read ends before the PLC has written, and finds a new id all the same."""

    def __init__(self) -> None:
        self.said = [(0, 0), (0, 0), (7, 0), (7, 5)]

    def db_read(self, block: int, start: int, count: int) -> bytes:
        said = nothing_written() | triggering(*self.said.pop(0), b"A-7")
        return b"".join(word.to_bytes(2, "big") for word in pack(WRITE, said, "high-first"))

    def db_write(self, *_: object) -> None: ...


def test_plc_s7_trigger_has_the_count_that_was_written_before_it() -> None:
    torn, paper = Torn(), SimulatedLine(1)
    with (
        Feed(Gate(Rules("free-running", 1.0)), simulated(paper)) as feed,
        ProductChanges({}, paper, feed.running) as changes,
        PlcTrigger(Kept(paper)) as triggers,
    ):
        command = PlcCommand(changes, triggers)
        for beat in (1, 2):
            since_s = time.monotonic()
            exchange(cast(S7Client, torn), 1, feed, command, beat, since_s)
        wait(lambda: triggers.given)
        kept = cast(Kept, triggers._line).asked
        assert [(t.trigger_id, t.encoder) for t in kept] == [(7, 5)]


class Kept:
    """A line that remembers its triggers."""

    def __init__(self, line: SimulatedLine) -> None:
        self._line, self.asked = line, list[TriggerRequest]()

    def ask(self, question: BaseModel) -> list[bytes]:
        if isinstance(question, TriggerRequest):
            self.asked.append(question)
        return self._line.ask(question)

    def close(self) -> None: ...
