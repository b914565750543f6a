"""The bits beside the registers: the same state, and a handshake of their own."""

import time
from collections.abc import Callable, Iterator

import pytest

from edge.bridge.protocols.registers import BITS, COILS, bits_of, inputs_of, nothing_written
from edge.bridge.signals import Inputs, Signals, Trouble
from tests.support.bridge.modbus import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Simulated parts, each held until it is acknowledged."""
    made = Bridge(
        "tcp://127.0.0.1:9", "--simulate", "60", "--results", "dequeue", "--buffer", "500"
    )
    yield made
    made.close()


def wait(bridge: Bridge, due: Callable[[dict[str, bool]], bool], **coils: bool) -> None:
    """Scan with bits alone."""
    end = time.monotonic() + 10
    while not due(found := bridge.plc.bits()):
        assert time.monotonic() < end, found
        bridge.plc.set(**coils)


def test_plc_shakes_hands_by_coils_and_gets_each_result_once(bridge: Bridge) -> None:
    taken: list[int] = []
    while len(taken) < 10:
        wait(bridge, lambda bits: bits["results_valid"])
        found = bridge.plc.read()
        bits = bridge.plc.bits()
        assert bits["result_ok"] == (found["verdict"] == 1)
        assert not taken or found["inspection_id"] > taken[-1]
        taken.append(found["inspection_id"])
        wait(bridge, lambda bits: not bits["results_valid"], ack_coil=True)
        held = bridge.plc.read()
        assert held["acknowledged"] == taken[-1]
        assert (held["verdict"], held["inspection_id"]) == (2, 0), "while the coil is set"
    assert [number for number in range(1, max(taken)) if number % 25 == 0 and number in taken] == []


def test_resets_come_by_command_or_by_coil_and_are_answered(bridge: Bridge) -> None:
    def counted() -> int:
        return bridge.plc.until(lambda v: v["inspected"] > 20)["inspected"]

    before = counted()
    bridge.plc.write(command=1)
    found = bridge.plc.read()
    assert (found["command_ack"], found["command_failed"]) == (1, 0)
    assert found["inspected"] < before
    again = bridge.plc.until(lambda v: v["inspected"] > found["inspected"])
    assert again["command_ack"] == 0, "the command was taken back"
    before = counted()
    bridge.plc.set(counter_reset_coil=True)
    assert bridge.plc.read()["inspected"] < before
    bridge.plc.set()
    bridge.plc.write(command=99)
    found = bridge.plc.read()
    assert (found["command_ack"], found["command_failed"]) == (0, 1)


def test_each_coil_is_an_input_of_its_own_and_each_bit_a_signal() -> None:
    none = [False] * len(COILS)
    said = nothing_written()
    wanted = [
        Inputs(heartbeat=1 << 16), Inputs(hold=True), Inputs(reset=True),
        Inputs(counter_reset=True),
    ]  # fmt: skip
    for at, inputs in enumerate(wanted):
        assert inputs_of(said, [*none[:at], True, *none[at + 1 :]]) == inputs
    assert inputs_of(said) == inputs_of(said, none) == Inputs()
    assert bits_of(Signals(trouble=Trouble.NONE), 0) == [False] * len(BITS)
    for at, signals in enumerate((
        Signals(trouble=Trouble.NONE, online=True),
        Signals(trouble=Trouble.NONE, ready=True),
        Signals(trouble=Trouble.NONE, backlog=2),
        Signals(trouble=Trouble.GAP),
        Signals(trouble=Trouble.NONE, results_valid=True),
    )):  # fmt: skip
        assert [i for i, bit in enumerate(bits_of(signals, 0)) if bit] == [at]
