"""A real bridge process between a real station and pymodbus's client as the PLC."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from edge.bridge.gate import Signals, Trouble
from edge.bridge.registers import READ, WRITE, pack, size, table, unpack, values_of
from edge.event import Inspection
from edge.subscribe import events
from tests.bridge.made import inspection
from tests.chaos import free_ports
from tests.conftest import draem
from tests.edge.running import Running


class Plc:
    """A PLC that polls the whole map in one request and counts its heartbeat."""

    def __init__(self, port: int) -> None:
        self._client = ModbusTcpClient("127.0.0.1", port=port, timeout=2)
        self._beat = self.acknowledged = 0

    def read(self) -> dict[str, int]:
        assert self._client.connect()
        answer = self._client.read_input_registers(0, count=size(READ))
        assert not answer.isError(), answer
        return unpack(READ, answer.registers, "high-first")

    def write(self, command: int = 0) -> None:
        assert self._client.connect()
        self._beat += 1
        values = {"plc_heartbeat": self._beat, "results_ack": self.acknowledged, "command": command}
        answer = self._client.write_registers(0, pack(WRITE, values, "high-first"))
        assert not answer.isError(), answer

    def until(self, due: Callable[[dict[str, int]], Any], seconds: float = 10) -> dict[str, int]:
        """Scan until what is read is due."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.write()
            found = self.read()
            if due(found):
                return found
        raise AssertionError(f"not within {seconds} s, the last was {found}")

    def close(self) -> None:
        self._client.close()


class Bridge:
    """`draem bridge modbus` in a process of its own."""

    def __init__(self, endpoint: str, *words: str) -> None:
        self.port = free_ports(1)[0]
        command = [sys.executable, "-m", "draem", "bridge", "modbus", "--endpoint", endpoint]
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*command, *listen, *words], stderr=subprocess.PIPE, text=True
        )
        self.plc = Plc(self.port)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the bridge does not listen")

    def close(self) -> str:
        self.plc.close()
        self.process.terminate()
        _, said = self.process.communicate(timeout=10)
        return str(said)


@pytest.fixture
def bridge(station: Running) -> Iterator[Bridge]:
    made = Bridge(station.endpoint, "--results", "dequeue", "--buffer", "50")
    yield made
    made.close()


def valid(found: dict[str, int]) -> bool:
    return bool(found["status"] & 16)


def test_a_plc_gets_each_verdict_once_in_order_with_its_part(
    station: Running, bridge: Bridge
) -> None:
    taken: dict[int, dict[str, int]] = {}
    while len(taken) < 60:
        found = bridge.plc.until(lambda v: valid(v) and v["inspection_id"] not in taken)
        assert not taken or found["inspection_id"] > max(taken)
        taken[found["inspection_id"]] = found
        bridge.plc.acknowledged = found["inspection_id"]
    told: dict[int, Inspection] = {}
    for event in events(station.endpoint, Path(station.settings.data) / "c"):
        if isinstance(event.header, Inspection):
            told[event.header.inspection_id] = event.header
            if event.header.inspection_id >= max(taken):
                break
    for number, found in taken.items():
        due = told[number]
        assert found["verdict"] == {"OK": 1, "NG": 2}[due.verdict]
        assert due.score is not None
        assert found["score"] == round(due.score * 10_000)
        assert found["trigger_id"] == due.trigger_id
    assert list(taken) == list(range(min(taken), max(taken) + 1)), "none was left out"
    assert {v["verdict"] for v in taken.values()} == {1, 2}


def test_a_line_that_falls_silent_is_a_fault_within_two_heartbeats(
    station: Running, bridge: Bridge
) -> None:
    bridge.plc.until(valid)
    station.controls.paused = True
    bridge.plc.until(lambda v: v["trouble"] == Trouble.LINE_PAUSED, 2)
    station.controls.paused = False
    bridge.plc.until(valid)
    station.stop.set()  # the loop ends, and its heartbeats with it
    start = time.monotonic()
    silent = bridge.plc.until(lambda v: v["trouble"] == Trouble.LINE_SILENT, 3)
    assert time.monotonic() - start < 2, "two periods of half a second, and the stop itself"
    assert (silent["verdict"], silent["inspection_id"]) == (2, 0)
    assert silent["status"] & 1 == 0, "Online"


def test_a_plc_that_stands_still_is_a_fault(bridge: Bridge) -> None:
    bridge.plc.until(valid)
    end = time.monotonic() + 3
    while not (found := bridge.plc.read())["trouble"]:
        assert time.monotonic() < end
    assert found["trouble"] == Trouble.PLC_SILENT
    assert found["verdict"] == 2


def test_a_bridge_that_is_killed_repeats_no_id(station: Running, bridge: Bridge) -> None:
    found = bridge.plc.until(valid)
    bridge.plc.acknowledged = found["inspection_id"]
    bridge.plc.until(lambda v: v["inspection_id"] > bridge.plc.acknowledged)
    os.kill(bridge.process.pid, signal.SIGKILL)
    bridge.process.wait()
    again = Bridge(station.endpoint, "--results", "dequeue", "--buffer", "50")
    again.plc.acknowledged = bridge.plc.acknowledged
    next_one = again.plc.until(valid)
    assert next_one["inspection_id"] > bridge.plc.acknowledged
    assert again.close()


def test_a_killed_station_comes_back(tmp_path: Path) -> None:
    station = Running(tmp_path)
    bridge = Bridge(station.endpoint)
    first = bridge.plc.until(valid)
    station.close()
    bridge.plc.until(lambda v: v["trouble"] == Trouble.LINE_SILENT)
    again = Running(tmp_path, endpoint=station.endpoint)
    later = bridge.plc.until(valid)
    assert later["inspection_id"] > first["inspection_id"]
    again.close()
    said = bridge.close()
    assert "Traceback" not in said


def test_rubbish_and_fifty_clients_leave_the_plc_served(bridge: Bridge) -> None:
    rubbish = [socket.create_connection(("127.0.0.1", bridge.port)) for _ in range(50)]
    for i, connection in enumerate(rubbish):
        connection.sendall(
            bytes([i]) * (i + 1) + b"\x00\x01\x00\x00\x00\x06\x01\x99\x00\x00\x00\x01"
        )
    bridge.plc.until(valid)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", bridge.port))
    ask = b"\x00\x01\x00\x00\x00\x06\x01\x04\x00\x00\x00\x20"
    deaf.settimeout(5)
    with pytest.raises(OSError):  # noqa: PT011 - cut off: reset, or a broken pipe
        ask_for_ever(deaf, ask)
    bridge.plc.until(valid)
    for connection in [*rubbish, deaf]:
        connection.close()


def ask_for_ever(connection: socket.socket, question: bytes) -> None:
    """One question after the other, for longer than anybody may be deaf."""
    for _ in range(20_000):
        connection.sendall(question)
        time.sleep(0.001)  # or several would be taken for one


def test_addresses_beyond_the_map_are_refused(bridge: Bridge) -> None:
    client = ModbusTcpClient("127.0.0.1", port=bridge.port)
    assert client.connect()
    illegal_function, illegal_address = 1, 2
    for answer, code in (
        (client.read_input_registers(size(READ), count=1), illegal_address),
        (client.read_holding_registers(0, count=size(WRITE) + 1), illegal_address),
        (client.write_register(size(WRITE), 1), illegal_address),
        (client.read_coils(0, count=1), illegal_function),
    ):
        assert answer.isError()
        assert answer.exception_code == code
    assert not client.read_holding_registers(0, count=size(WRITE)).isError()
    client.close()


def test_a_stranger_reads_and_does_not_write(station: Running) -> None:
    bridge = Bridge(station.endpoint, "--plc", "192.0.2.7")
    client = ModbusTcpClient("127.0.0.1", port=bridge.port)
    assert client.connect()
    assert not client.read_input_registers(0, count=size(READ)).isError()
    answer = client.write_register(0, 1)
    assert answer.isError()
    assert answer.exception_code == 1
    client.close()
    assert "127.0.0.1 tried to write and may not: name it with --plc" in bridge.close()


def test_mistakes_are_one_line_each(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    busy = f"127.0.0.1:{taken.getsockname()[1]}"
    for words, says in (
        (["--listen", busy], "another program has it"),
        (["--listen", "0.0.0.0:1502"], "name the PLC with --plc"),
        (["--listen", "nowhere"], "write an address and a port"),
        (["--plc", "plc-1"], "write an address, as"),
        (["--deadline-ms", "0"], "a whole number from 1 on"),
        (["--endpoint", "rubbish"], "correct --endpoint"),
    ):
        done = draem("bridge", "modbus", *words, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    taken.close()


def test_the_documented_map_is_the_one_that_is_served() -> None:
    text = (Path(__file__).parents[2] / "docs/plc.md").read_text(encoding="utf-8")
    assert table(READ) in text
    assert table(WRITE) in text
    for trouble in Trouble:
        assert f"| {int(trouble)} | {trouble.name.lower().replace('_', ' ')} |" in text


def test_plc_is_commissioned_without_a_camera() -> None:
    """Every tenth part NG, every 25th without a verdict, and so never offered."""
    bridge = Bridge("tcp://127.0.0.1:9", "--simulate", "50", "--results", "dequeue")
    taken: dict[int, int] = {}
    while len(taken) < 60:
        found = bridge.plc.until(lambda v: valid(v) and v["inspection_id"] not in taken)
        taken[found["trigger_id"]] = found["verdict"]
        assert found["encoder"] == 1000 * found["trigger_id"]
        bridge.plc.acknowledged = found["inspection_id"]
    assert all(verdict == (2 if t % 10 == 0 else 1) for t, verdict in taken.items())
    assert not [t for t in taken if t % 25 == 0]
    assert "simulating 50 parts a second" in bridge.close()


def test_words_lie_in_either_order_and_nothing_wraps() -> None:
    result = inspection(70_001, "NG")
    signals = Signals(
        results_valid=True, verdict="NG", result=result, trouble=Trouble.NONE, online=True,
        counts=dict.fromkeys(("inspected", "ok", "ng", "no_verdict", "expired", "overruns"), 7),
    )  # fmt: skip
    values = values_of(signals, heartbeat=65_537, acknowledged=2**32 - 1)
    high = pack(READ, values, "high-first")
    low = pack(READ, values, "low-first")
    assert len(high) == len(low) == size(READ) <= 125, "one request reads it all"
    assert high[4:6] == [1, 70_001 - 65_536] == low[5:3:-1]
    for registers, order in ((high, "high-first"), (low, "low-first")):
        found = unpack(READ, registers, order)  # type: ignore[arg-type]
        assert found["heartbeat"] == 1
        assert found["acknowledged"] == 2**32 - 1
        assert found["encoder"] - 2**32 == result.encoder
        assert (found["area"], found["box_height"], found["score"]) == (70_000, 40, 9000)
        assert found["status"] == 0b10001
    assert pack(READ, values | {"box_x": 99_999, "score": -1}, "high-first")[14] == 65_535
