"""What a controller does wrong, and what no PLC may take for a result; it is in this process."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.plc_commands import CommandAnswer, PlcCommand
from edge.bridge.plc_trigger import PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols import plc_memory
from edge.bridge.protocols.dints import CHECK, HEARTBEAT, LENGTH, SIGNALS
from edge.bridge.protocols.ethernet_ip import REQUEST_BYTES, Controller, Tag
from edge.bridge.protocols.registers import nothing_written
from edge.bridge.signals import COUNTED, Signals
from edge.bridge.simulated_line import SimulatedLine, simulated
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.events import inspection
from tests.support.bridge.logix import TAG, accepted
from tests.support.bridge.logix_controller import REAL, InMemory, LogixController
from tests.support.bridge.process import bridge_process
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.waiting import wait_until


@pytest.fixture
def plc() -> Iterator[LogixController]:
    made = LogixController(free_ports(1)[0])
    yield made
    made.close()


@pytest.fixture
def tag(plc: LogixController) -> Iterator[Tag]:
    made = Tag(Controller("127.0.0.1", plc.port, 0, TAG))
    made.connect()
    yield made
    made.close()


def result(number: int) -> Signals:
    """A valid result of a part whose every id is `number`."""
    found = inspection(number, trigger_id=number, encoder=number)
    counts = dict.fromkeys(COUNTED, number)
    return Signals(results_valid=True, verdict="OK", result=found, counts=counts)


def write(tag: Tag, number: int) -> None:
    tag.write(result(number), nothing_written(), CommandAnswer())


def test_over_ethernet_ip_one_request_writes_check_then_fields_then_heartbeat(
    plc: LogixController, tag: Tag
) -> None:
    write(tag, 1)
    assert [first for first, _ in plc.written] == [CHECK, HEARTBEAT + 1, SIGNALS]
    assert [len(values) for _, values in plc.written] == [1, CHECK - HEARTBEAT - 1, 2]
    assert plc.data[CHECK] == plc.data[HEARTBEAT]


def test_an_ethernet_ip_request_is_short_enough_for_every_controller(plc: LogixController) -> None:
    plc.tag = f"Program:{40 * 'p'}.{11 * 't'}"
    assert len(plc.tag) == 60
    tag = Tag(Controller("127.0.0.1", plc.port, 0, plc.tag))
    tag.connect()
    write(tag, 1)
    tag.close()
    assert 300 < plc.longest <= 500 < REQUEST_BYTES


def test_between_the_services_of_an_ethernet_ip_write_nothing_is_accepted(
    plc: LogixController, tag: Tag
) -> None:
    seen: list[dict[str, int] | None] = []
    plc.after_service = lambda: seen.append(accepted(plc.data[:]))
    for number in (1, 2):
        write(tag, number)
    assert [found and found["trigger_id"] for found in seen] == [None, None, 1, None, None, 2]


def test_over_ethernet_ip_a_result_is_written_when_it_comes_and_not_in_the_next_cycle(
    plc: LogixController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plc_memory, "CYCLE_S", 600.0)
    line, due, stop, seen = SimulatedLine(50), threading.Event(), threading.Event(), set[int]()
    tag = Tag(Controller("127.0.0.1", plc.port, 0, TAG))
    with (
        Feed(Gate(Rules(plc_silent_s=0)), simulated(line), lambda _: due.set()) as feed,
        ProductChanges({}, line, feed.running) as changes,
        PlcTrigger(line) as triggers,
    ):
        command = PlcCommand(changes, triggers)
        words = (tag, feed, command, stop.is_set, due)
        running = threading.Thread(target=plc_memory.run, args=words)
        running.start()

        def came() -> bool:
            found = accepted(plc.data[:])
            seen.add(found["inspection_id"] if found else 0)
            return len(seen) > 5

        wait_until(came, "results of some parts")
        stop.set()
        due.set()
        running.join()


@pytest.fixture(scope="module")
def writes() -> list[tuple[int, int]]:
    """Index and value of each element that three writes change, in their order."""
    plc = LogixController(free_ports(1)[0])
    tag = Tag(Controller("127.0.0.1", plc.port, 0, TAG))
    tag.connect()
    for number in (1, 2, 3):
        write(tag, number)
    tag.close()
    plc.close()
    return [(at + i, value) for at, values in plc.written for i, value in enumerate(values)]


bursts = st.dictionaries(st.integers(0, LENGTH), st.integers(1, 2 * LENGTH), max_size=4)


@given(st.integers(0, 2 * LENGTH), bursts)
def test_a_torn_ethernet_ip_copy_is_never_accepted(
    writes: list[tuple[int, int]], ahead: int, bursts: dict[int, int]
) -> None:
    """A controller copies from the start while single elements are written in their order."""
    begun = min(len(writes) // 3 + ahead, len(writes))  # the first write has ended
    data, left = dict(writes[:begun]), iter(writes[begun:])
    copy: list[int] = []
    for at in range(LENGTH):
        copy.append(data.get(at, 0))
        data |= dict(islice(left, bursts.get(at, 0)))
    if (found := accepted(copy)) is not None:
        ids = {found[name] for name in ("inspection_id", "trigger_id", "encoder", *COUNTED)}
        assert len(ids) == 1, ids


def refuse_writing(plc: LogixController) -> None:
    plc.read_only = True


def be_real(plc: LogixController) -> None:
    plc.kind = REAL


def be_short(plc: LogixController) -> None:
    plc.data = plc.data[:-1]


def be_renamed(plc: LogixController) -> None:
    plc.tag = "vision"


def be_cut(plc: LogixController) -> None:
    plc.cutting = True


def be_slow(plc: LogixController) -> None:
    plc.answer_s = 1.5


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (refuse_writing, "may not be written: set its External Access to Read/Write"),
        (be_real, "is of the type REAL: make it an array DINT[58]"),
        (be_short, "has no element 57: make it an array DINT[58]"),
        (be_renamed, "has no tag draem: create it as DINT[58], or correct --tag"),
        (be_cut, "is no EtherNet/IP device"),
        (be_slow, "is no EtherNet/IP device"),
    ],
)
def test_an_ethernet_ip_controller_that_refuses_ends_the_start_with_one_line(
    fault: Callable[[LogixController], None], says: str, plc: LogixController, mistaken: Mistaken
) -> None:
    fault(plc)
    words = ("ethernet-ip", "--controller", f"127.0.0.1:{plc.port}", "--simulate", "9")
    assert says in mistaken(*words)


def test_an_ethernet_ip_slot_without_a_processor_is_named(mistaken: Mistaken) -> None:
    plc = LogixController(free_ports(1)[0], slot=3)
    words = ("ethernet-ip", "--controller", f"127.0.0.1:{plc.port}", "--simulate", "9")
    try:
        assert "no processor in slot 0" in mistaken(*words)
    finally:
        plc.close()


def test_what_is_no_ethernet_ip_device_is_named(mistaken: Mistaken) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection = other.accept()[0]
            connection.sendall(b"220 mail\r\n")
            connection.close()

        greeting = threading.Thread(target=greet)
        greeting.start()
        where = f"127.0.0.1:{other.getsockname()[1]}"
        assert "no EtherNet/IP device" in mistaken("ethernet-ip", "--controller", where)
        greeting.join()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (be_cut, "does not answer within 1 s"),
        (be_slow, "does not answer within 1 s"),
        (refuse_writing, "set its External Access to Read/Write"),
        (be_real, "make it an array DINT[58]"),
        (be_short, "DINT[58]"),
        (be_renamed, "create it as DINT[58]"),
    ],
)
def test_an_ethernet_ip_controller_that_begins_to_refuse_stops_the_heartbeat_until_it_is_mended(
    fault: Callable[[LogixController], None],
    says: str,
    plc: LogixController,
    station: Running,
    tmp_path: Path,
) -> None:
    program = InMemory(plc)
    with ExitStack() as stack:
        where = ("ethernet-ip", "--controller", f"127.0.0.1:{plc.port}")
        bridge = bridge_process(stack, station, tmp_path, *where)
        program.until(lambda v: v["status"] & 16)
        fault(plc)
        said = read_until(bridge, says)
        stopped = plc.data[HEARTBEAT]
        plc.kind, plc.tag, plc.data = 0xC4, TAG, [*plc.data, 0][:LENGTH]
        plc.read_only = plc.cutting = False
        plc.answer_s = 0
        program.until(lambda v: v["status"] & 16 and v["heartbeat"] != stopped)
        assert len(said) <= 3, said


def read_until(bridge: subprocess.Popen[str], says: str) -> list[str]:
    """The lines of the log up to the one that says it."""
    assert bridge.stderr is not None
    lines: list[str] = []
    wait_until(lambda: says in _next(bridge, lines), says)
    return lines


def _next(bridge: subprocess.Popen[str], lines: list[str]) -> str:
    assert bridge.stderr is not None
    lines.append(bridge.stderr.readline())
    return lines[-1]
