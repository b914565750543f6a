"""What a PLC's program makes of the fields that Modbus, S7 and EtherNet/IP share (docs/plc.md)."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.signals import Inputs
from tests.support.bridge.wires.wire import NAMES, PRODUCTS, View

COUNTS = ("inspected", "ok", "ng", "no_verdict", "expired", "overruns")
READ = (
    *("map", "heartbeat", "status", "trouble", "inspection_id", "trigger_id", "verdict"),
    *("backlog", "acknowledged", "product", "product_running", "command_ack", "command_failed"),
    *COUNTS,
)


def view_of(found: Mapping[str, int], said: Mapping[str, int]) -> View:
    """The fields in the words of the state machine; what the PLC has `said` is answered."""
    assert found["acknowledged"] == said.get("results_ack", 0)
    assert (found["command_ack"], found["command_failed"]) == (said.get("command", 0), 0)
    bits = [bool(found["status"] >> bit & 1) for bit in range(7)]
    online, ready, busy, fault, valid, _, result_ok = bits
    assert found["map"] == 3
    assert busy == (found["backlog"] > 0)
    assert fault == (found["trouble"] != 0)
    assert result_ok == (valid and found["verdict"] == 1)
    assert found["trigger_id"] == (found["inspection_id"] + 1000 if valid else 0)
    return {
        "online": online,
        "ready": ready,
        "valid": valid,
        "trouble": found["trouble"],
        "inspection_id": found["inspection_id"],
        "verdict": {1: "OK", 2: "NG"}[found["verdict"]],
        "product": NAMES[found["product"]],
        "running": NAMES[found["product_running"]],
        "backlog": found["backlog"],
        "counts": {name: found[name] for name in COUNTS},
    }


def written(inputs: Inputs) -> tuple[dict[str, int], Inputs]:
    """The fields that say this, and what they say: there is one command at a time."""
    command = 1 if inputs.counter_reset else 2 * inputs.reset
    fields = {
        "plc_heartbeat": inputs.heartbeat % 65536, "results_ack": inputs.acknowledged,
        "command": command,
    }  # fmt: skip
    said = Inputs(
        inputs.heartbeat, inputs.acknowledged, reset=command == 2, counter_reset=command == 1
    )
    return fields, said


def no_commands() -> PlcCommand:
    """In the place of commands and triggers, which have a state machine of their own."""
    answer = CommandAnswer(PRODUCTS)
    nothing: Any = lambda *_: None  # noqa: E731
    stub = SimpleNamespace(
        answer=lambda: answer, set_command=nothing, set_trigger=nothing,
        is_new_trigger=lambda _: False,
    )  # fmt: skip
    return cast(PlcCommand, stub)
