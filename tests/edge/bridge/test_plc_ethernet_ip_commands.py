"""Triggers and product changes over EtherNet/IP: the program of a controller in this process."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.bridge.line_requests import Failure
from edge.bridge.plc_trigger import LATEST_S
from edge.bridge.protocols.dints import HEARTBEAT
from tests.support.bridge.changing_line import RECIPES, changing_line
from tests.support.bridge.logix_controller import InMemory, LogixController
from tests.support.bridge.modbus import ended, triggering
from tests.support.bridge.process import bridge_process
from tests.support.bridge.triggered_line import TriggeredLine, wait
from tests.support.ports import free_ports
from tests.support.running_station import Running

ENOUGH = 20  # a machine that is busy for 50 ms refuses a trigger, and rightly


@pytest.fixture
def program() -> Iterator[InMemory]:
    plc = LogixController(free_ports(1)[0])
    yield InMemory(plc)
    plc.close()


def words(program: InMemory) -> tuple[str, ...]:
    return ("ethernet-ip", "--controller", f"127.0.0.1:{program.controller.port}", *RECIPES)


def test_plc_triggers_over_ethernet_ip(
    triggered_line: TriggeredLine, station: Running, program: InMemory, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        program.trigger = triggering(3, 0, b"")
        program.write()
        control = ("--control", triggered_line.endpoint)
        bridge_process(stack, station, tmp_path, *words(program), *control)

        def failure(number: int, part: bytes = b"") -> int:
            program.trigger = triggering(number, -number, part)
            found = program.until(lambda v: ended(v, number))
            time.sleep(LATEST_S)
            return found["trigger_failed"] if found["trigger_seen"] == number else 0

        assert failure(3) == Failure.STALE
        first = next(n for n in range(10, 10 + ENOUGH) if not failure(n, b"A-7"))
        wait(lambda: triggered_line.triggers)
        wanted = {"trigger_id": first, "encoder": -first, "part_id": "A-7"}
        assert triggered_line.triggers == [wanted]
        program.controller.answer_s = 3 * LATEST_S  # its next read comes too late for the part
        beat = program.controller.data[HEARTBEAT]
        program.until(lambda v: v["heartbeat"] != beat)
        assert failure(100) == Failure.TOO_LATE
        program.controller.answer_s = 0
        last = next(n for n in range(200, 200 + ENOUGH) if not failure(n))
        wait(lambda: last in triggered_line.ids)
        assert triggered_line.ids == [first, last]


def test_plc_changes_the_product_over_ethernet_ip(program: InMemory, tmp_path: Path) -> None:
    with ExitStack() as stack:
        station, loader = stack.enter_context(changing_line(tmp_path))
        loader.go.set()
        bridge_process(stack, station, tmp_path, *words(program))
        program.until(lambda v: v["status"] & 16 and v["product"] == 1)
        program.command, program.product = 3, 65_538
        assert program.until(lambda v: v["command_failed"])["command_failed"] == Failure.UNKNOWN, (
            "a number that has no place in 16 bits is not cut to one that has"
        )
        program.command = 0
        program.until(lambda v: not v["command_failed"])
        program.command, program.product = 3, 2
        assert program.until(lambda v: v["command_ack"] == 3)["product_running"] == 2
        program.until(lambda v: v["status"] & 16 and v["product"] == 2)
