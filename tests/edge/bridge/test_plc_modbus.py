"""A real bridge process between a real station and pymodbus's client as the PLC."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import CommandAnswer
from edge.bridge.protocols.opcua_model import result_of
from edge.bridge.protocols.register_docs import bit_table, table
from edge.bridge.protocols.registers import (
    BITS,
    COILS,
    MAP_VERSION,
    READ,
    WRITE,
    WordOrder,
    nothing_written,
    number_of,
    offset,
    pack,
    size,
    text_of,
    unpack,
    values_of,
)
from edge.bridge.signals import COUNTED, Signals, Trouble
from edge.events.event import Inspection
from edge.events.subscriber import events
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.events import inspection
from tests.support.bridge.modbus import Bridge, valid
from tests.support.ports import free_ports
from tests.support.running_station import Running


@pytest.fixture
def bridge(station: Running) -> Iterator[Bridge]:
    made = Bridge(station.endpoint, "--results", "dequeue", "--buffer", "50")
    yield made
    made.close()


def test_a_plc_gets_each_verdict_once_in_order_with_its_part(
    station: Running, bridge: Bridge
) -> None:
    taken: dict[int, dict[str, int]] = {}
    while len(taken) < 20:
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
        assert due.encoder is not None
        assert found["encoder"] - 2**32 == due.encoder < 0
        assert text_of(found["part_id"], 16) == due.part_id == f"lid-{due.trigger_id}"
    assert list(taken) == list(range(min(taken), max(taken) + 1)), "none was left out"
    assert {v["verdict"] for v in taken.values()} == {1, 2}


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


def test_a_bridge_that_is_given_a_name_ends_at_the_events_of_another_station(
    station: Running, mistaken: Mistaken, tmp_path: Path
) -> None:
    """The default of --endpoint is that of the machine's first station."""
    where = ("--endpoint", station.endpoint, "--data", str(tmp_path / "other"))
    listen = ("--listen", f"127.0.0.1:{free_ports(1)[0]}")
    said = mistaken("modbus", *where, *listen, "--station", "press-4")
    assert "the events of 'station-1', not of 'press-4': correct --station or --endpoint" in said


def test_mistakes_are_one_line_each(tmp_path: Path, mistaken: Mistaken) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    busy = f"127.0.0.1:{taken.getsockname()[1]}"
    for words, says in (
        (["--listen", busy], "another program (perhaps a bridge) has it"),
        (["--listen", "0.0.0.0:1502"], "name the PLC with --plc"),
        (["--listen", "nowhere"], "write an address and a port"),
        (["--plc", "plc-1"], "write an address, as"),
        (["--deadline-ms", "0"], "a whole number from 1 to"),
        (["--endpoint", "rubbish"], "correct --endpoint"),
    ):
        assert says in mistaken("modbus", *words), words
    taken.close()


def test_the_documented_map_is_the_one_that_is_served() -> None:
    docs = Path(__file__).parents[3] / "docs"
    page = (docs / "plc/modbus.md").read_text(encoding="utf-8")
    assert table(READ) in page
    assert table(WRITE) in page
    assert bit_table(BITS) in page
    assert bit_table(COILS) in page
    at, verdict = offset(READ, "inspection_id"), offset(READ, "verdict")
    assert f"read[{at}] << 16 | read[{at + 1}]" in page, "the trial's client reads this map"
    assert f"[read[{verdict}]]" in page
    words = " ".join(page.split())  # wherever a line ends
    assert f"the whole map of {size(READ)} registers" in words
    text = (docs / "plc.md").read_text(encoding="utf-8")
    assert f"`map` is the version of the map, now {MAP_VERSION}." in text
    for number, bit in enumerate(BITS):
        assert f"| {number} | {bit.name} | {bit.text} |" in text
    for trouble in Trouble:
        assert f"| {int(trouble)} | {trouble.name.lower().replace('_', ' ')} |" in text
    failures = text[text.index("Why a command failed") :]
    for failure in set(Failure) - {Failure.NONE}:
        assert f"| {int(failure)} | {failure.name.lower().replace('_', ' ')} |" in failures
    assert f"addresses are right when `map` is {MAP_VERSION} and `heartbeat` counts" in words


def test_plc_is_commissioned_without_a_camera() -> None:
    """Every tenth part NG, every 25th without a verdict, and so never offered."""
    bridge = Bridge("tcp://127.0.0.1:9", "--simulate", "200", "--results", "dequeue")
    taken: dict[int, int] = {}
    while len(taken) < 60:
        found = bridge.plc.until(lambda v: valid(v) and v["inspection_id"] not in taken)
        taken[found["trigger_id"]] = found["verdict"]
        assert found["encoder"] == 1000 * found["trigger_id"]
        bridge.plc.acknowledged = found["inspection_id"]
    assert all(verdict == (2 if t % 10 == 0 else 1) for t, verdict in taken.items())
    assert not [t for t in taken if t % 25 == 0]
    assert "simulating 200 parts a second" in bridge.close()


def test_words_lie_in_either_order_and_measures_are_bounded() -> None:
    result = inspection(70_001, "NG")
    signals = Signals(
        results_valid=True, verdict="NG", result=result, trouble=Trouble.NONE, online=True,
        counts=dict.fromkeys(("inspected", "ok", "ng", "no_verdict", "expired", "overruns"), 7),
    )  # fmt: skip
    said = nothing_written() | {"results_ack": 2**32 - 1}
    values = values_of(signals, heartbeat=65_537, now=0, written=said, answer=CommandAnswer())
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
        assert found["status"] == 0b10001, found["status"]
    bounded = unpack(
        READ, pack(READ, values | {"box_x": 99_999, "score": -1}, "high-first"), "high-first"
    )
    assert (bounded["box_x"], bounded["score"]) == (65_535, 0)


@given(st.integers(-(2**70), 2**70))
@example(2**32)
@example(2**32 - 1)
@example(2**31)
@example(-(2**31) - 1)
def test_counters_beyond_32_bits_go_on_modulo_2_to_the_32(count: int) -> None:
    """Bounded, an encoder of 2^32 or more would read -1 for ever."""
    result = inspection(1, encoder=count, trigger_id=count)
    signals = Signals(result=result, counts=dict.fromkeys(COUNTED, count))
    values = values_of(signals, count, 0, nothing_written(), CommandAnswer())
    orders: list[WordOrder] = ["high-first", "low-first"]
    for order in orders:
        found = unpack(READ, pack(READ, values, order), order)
        for name in ("encoder", "trigger_id", *COUNTED):
            assert found[name] == count % 2**32, name
        assert found["heartbeat"] == count % 2**16
    for name in ("Encoder", "TriggerId"):
        value = result_of(result, {})[name]
        assert (value - count) % 2**64 == 0
        assert -(2**63) <= value < 2**63, "OPC UA has no more bits"


def test_plc_reads_a_part_id_as_text_or_not_at_all() -> None:
    orders: list[WordOrder] = ["high-first", "low-first"]
    for order in orders:
        for text, read in (
            ("A7", "A7"),
            ("Größe-12", "Größe-12"),
            ("x" * 32, "x" * 32),
            ("x" * 33, ""),  # a part of an id could be another part's
            (None, ""),
        ):
            signals = Signals(result=inspection(1, part_id=text), counts=dict.fromkeys(COUNTED, 0))
            registers = pack(
                READ, values_of(signals, 0, 0, nothing_written(), CommandAnswer()), order
            )
            assert text_of(unpack(READ, registers, order)["part_id"], 16) == read
            first = offset(READ, "part_id")
            text_words = registers[first : first + 16]
            raw = b"".join(word.to_bytes(2, "big") for word in text_words)
            assert raw == read.encode().ljust(32, b"\0"), "in the order of reading, in both"
    assert number_of("", 16) == 0
