"""Triggers over OPC UA and S7; test_plc_command_machine.py has what becomes of them."""

import asyncio
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from asyncua.client.client import Client
from pydantic import BaseModel
from snap7.client import Client as S7Client

from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import PlcCommand
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.plc_memory import exchange
from edge.bridge.protocols.register_docs import SIGNALS
from edge.bridge.protocols.registers import READ, WRITE, nothing_written, pack, size
from edge.bridge.protocols.s7 import Block, Plc
from edge.bridge.simulated_line import SimulatedLine, simulated
from edge.events.control_messages import TriggerRequest
from tests.support.bridge.changing_line import RECIPES
from tests.support.bridge.modbus import ended, triggering
from tests.support.bridge.opcua import Bridge as OpcuaBridge
from tests.support.bridge.opcua import connected
from tests.support.bridge.process import bridge_process
from tests.support.bridge.s7 import BLOCK, S7Plc
from tests.support.bridge.triggered_line import TriggeredLine, wait
from tests.support.running_station import Running

NOWHERE = "tcp://127.0.0.1:9"
ENOUGH = 20  # a machine that is busy for 50 ms refuses a trigger, and rightly


def test_plc_triggers_over_opcua(triggered_line: TriggeredLine, station: Running) -> None:
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
        wait(lambda: triggered_line.triggers)
        wanted = {"trigger_id": number, "encoder": -9, "part_id": "A-7"}
        assert triggered_line.triggers[-1] == wanted
        assert await trigger(number, -9, "A-7") == [False, -Failure.REPEATED]
        for words in ((0, 0, ""), (-1, 0, ""), (900, 0, 300 * "x"), (True, 0, ""), ("7", 0, "")):
            assert await trigger(*words) == [False, -Failure.REFUSED], words
        triggered_line.freeze()
        two = await asyncio.gather(trigger(1000, 0, ""), trigger(1001, 0, ""))
        assert list(two) == [[False, -Failure.NO_ANSWER], [False, -Failure.TOO_LATE]], "one by one"
        triggered_line.thaw()
        for number in range(1002, 1002 + ENOUGH):
            if (await trigger(number, 0, ""))[0]:
                break
            await asyncio.sleep(LATEST_S)
        wait(lambda: number in triggered_line.ids)
        assert not {1000, 1001} & set(triggered_line.ids)
        bridge.process.send_signal(signal.SIGSTOP)
        asked = asyncio.create_task(trigger(2000, 0, ""))
        await asyncio.sleep(3 * LATEST_S)
        bridge.process.send_signal(signal.SIGCONT)
        assert await asked == [False, -Failure.TOO_LATE], "it lay in the socket of the bridge"
        assert 2000 not in triggered_line.ids
        await client.disconnect()

    bridge = OpcuaBridge(station, "--control", triggered_line.endpoint)
    try:
        asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
    assert "Traceback" not in said


def test_plc_triggers_over_s7(
    triggered_line: TriggeredLine, station: Running, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        plc = S7Plc()
        stack.callback(plc.stop)
        plc.trigger = triggering(3, 0, b"")
        plc.write()
        words = ("s7", "--s7", f"127.0.0.1:{plc.port}", "--block", str(BLOCK))
        bridge_process(
            stack, station, tmp_path, *words, "--control", triggered_line.endpoint, *RECIPES
        )

        def tries(number: int, part: bytes = b"") -> int:
            plc.trigger = triggering(number, -number, part)
            found = plc.until(lambda v: ended(v, number))
            time.sleep(LATEST_S)
            return found["trigger_failed"] if found["trigger_seen"] == number else 0

        assert tries(3) == Failure.STALE
        first = next(n for n in range(10, 10 + ENOUGH) if not tries(n, b"A-7"))
        wait(lambda: triggered_line.triggers)
        assert triggered_line.triggers == [
            {"trigger_id": first, "encoder": -first, "part_id": "A-7"}
        ]
        plc.stop()
        plc.trigger = triggering(100, 0, b"")  # nobody can read it for a while
        plc.write()
        time.sleep(3 * LATEST_S)
        plc.start()
        found = plc.until(lambda v: ended(v, 100), 20)
        assert found["trigger_failed"] == Failure.TOO_LATE
        last = next(n for n in range(200, 200 + ENOUGH) if not tries(n))
        wait(lambda: last in triggered_line.ids)
        assert triggered_line.ids == [first, last]


class Torn:
    """An S7 client whose read ends before the PLC has written, and finds a new id all the same."""

    def __init__(self) -> None:
        self.said = [(0, 0), (0, 0), (7, 0), (7, 5)]
        self.block = bytearray(SIGNALS + 2 * size(READ))

    def db_read(self, block: int, start: int, count: int) -> bytes:
        said = nothing_written() | triggering(*self.said.pop(0), b"A-7")
        words = b"".join(word.to_bytes(2, "big") for word in pack(WRITE, said, "high-first"))
        self.block[: len(words)] = words
        return bytes(self.block[start : start + count])

    def db_write(self, block: int, start: int, data: bytes) -> None:
        self.block[start : start + len(data)] = data


def test_plc_s7_trigger_has_the_count_that_was_written_before_it() -> None:
    torn, paper = Torn(), SimulatedLine(1)
    with (
        Feed(Gate(Rules("free-running", 1.0)), simulated(paper)) as feed,
        ProductChanges({}, paper, feed.running) as changes,
        PlcTrigger(Kept(paper)) as triggers,
    ):
        command, block = PlcCommand(changes, triggers), Block(Plc("", 0, 0, 0, 1))
        block.client = cast(S7Client, torn)
        for _ in range(2):
            exchange(block, feed, command, time.monotonic())
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
