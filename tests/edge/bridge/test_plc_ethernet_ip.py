"""`draem bridge ethernet-ip` between a real station and cpppo's controller, an outside program."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.bridge.protocols.dints import CHECK, HEARTBEAT, LENGTH, SIGNALS, index
from edge.bridge.protocols.registers import MAP_VERSION, READ, text_of
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.logix import TAG, Cpppo, OverNetwork
from tests.support.bridge.process import bridge_process
from tests.support.bridge.tcp import wait_until_kept_alive
from tests.support.ports import free_ports
from tests.support.running_station import Running

VERDICT, ID = (SIGNALS + index(READ, name) for name in ("verdict", "inspection_id"))


def valid(found: dict[str, int]) -> bool:
    return bool(found["status"] & 16)


@pytest.fixture
def plc() -> Iterator[Cpppo]:
    made = Cpppo()
    yield made
    made.stop()


@pytest.fixture
def program(plc: Cpppo) -> Iterator[OverNetwork]:
    made = OverNetwork(plc.port)
    yield made
    made.close()


@pytest.fixture
def bridge(station: Running, plc: Cpppo, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    words = ("ethernet-ip", "--controller", f"127.0.0.1:{plc.port}", "--results", "dequeue")
    patient = ("--buffer", "500", "--deadline-ms", "30000", "--plc-silent-ms", "20000")
    with ExitStack() as stack:
        yield bridge_process(stack, station, tmp_path, *words, *patient)


def test_over_ethernet_ip_each_verdict_comes_once_in_order(
    plc: Cpppo, program: OverNetwork, bridge: subprocess.Popen[str]
) -> None:
    taken: list[int] = []
    while len(taken) < 10:
        found = program.until(lambda v: valid(v) and v["inspection_id"] != program.acknowledged)
        assert not taken or found["inspection_id"] == taken[-1] + 1
        taken.append(found["inspection_id"])
        assert found["map"] == MAP_VERSION
        assert found["verdict"] == (2 if found["trigger_id"] % 7 == 0 else 1)
        assert found["encoder"] - 2**32 == -10 * found["trigger_id"]
        assert text_of(found["part_id"], 16) == f"lid-{found['trigger_id']}"
        program.acknowledged = found["inspection_id"]
    wait_until_kept_alive(remote=plc.port)  # a controller without power is noticed too


def test_another_ethernet_ip_client_reads_the_same_numbers(
    plc: Cpppo, program: OverNetwork, bridge: subprocess.Popen[str]
) -> None:
    """The bridge and the other tests use pylogix; this client is cpppo's."""
    found = program.until(valid)
    command = [sys.executable, "-m", "cpppo.server.enip.client", "-p", "-a"]
    done = subprocess.run(
        [*command, f"127.0.0.1:{plc.port}", f"{TAG}[0-{LENGTH - 1}]"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    numbers = re.search(r"== \[([^]]*)\]", done.stdout)
    assert numbers is not None, done.stdout
    read = [int(number) for number in numbers[1].split(",")]
    expected = (MAP_VERSION, found["verdict"], found["inspection_id"])
    assert (read[SIGNALS], read[VERDICT], read[ID]) == expected
    assert read[CHECK] == read[HEARTBEAT]


def test_an_ethernet_ip_controller_that_has_gone_is_logged_once_and_found_again(
    plc: Cpppo, program: OverNetwork, bridge: subprocess.Popen[str]
) -> None:
    before = program.until(valid)
    program.acknowledged = before["inspection_id"]
    plc.stop()
    plc.start()
    after = program.until(lambda v: valid(v) and v["inspection_id"] > before["inspection_id"])
    assert after["map"] == MAP_VERSION, "all is written again into tags that were lost"
    bridge.terminate()
    assert bridge.stderr is not None
    said = bridge.stderr.read().splitlines()
    assert len(said) > 2, said
    assert all("exchanging" in line for line in said[::2]), said
    assert all("connection to the PLC is lost" in line for line in said[1::2]), said


def test_an_ethernet_ip_controller_that_hangs_is_left_and_its_heartbeat_stands_still(
    plc: Cpppo, program: OverNetwork, bridge: subprocess.Popen[str]
) -> None:
    before = program.until(valid)
    plc.freeze()
    assert bridge.stderr is not None
    said = [bridge.stderr.readline() for _ in range(2)]
    assert "does not answer within 1 s): connecting again" in said[1], said
    plc.thaw()
    after = program.until(lambda v: v["heartbeat"] != before["heartbeat"] and valid(v))
    assert after["inspection_id"] >= before["inspection_id"]


def test_a_second_bridge_on_one_ethernet_ip_tag_ends_and_the_first_goes_on(
    plc: Cpppo, program: OverNetwork, bridge: subprocess.Popen[str], mistaken: Mistaken
) -> None:
    """The PLC would take the verdicts of one station for those of another."""
    program.until(valid)
    words = ("ethernet-ip", "--controller", f"127.0.0.1:{plc.port}", "--simulate", "9")
    said = mistaken(*words)
    assert f"another bridge writes into the tag {TAG} of the controller" in said
    assert "--tag" in said
    last = program.read()
    program.until(lambda v: valid(v) and v["heartbeat"] != last["heartbeat"])
    assert bridge.poll() is None


def test_ethernet_ip_mistakes_are_one_line_each(mistaken: Mistaken) -> None:
    plc = Cpppo("real=REAL[58]", "short=DINT[57]", "single=DINT", "draem=DINT[58]")
    nothing, where = free_ports(1)[0], f"127.0.0.1:{plc.port}"
    try:
        for words, says in (
            ([], "add --controller HOST:PORT"),
            (["--controller", f"127.0.0.1:{nothing}"], "correct --controller"),
            (["--controller", where, "--tag", "real"], "REAL: make it an array DINT[58]"),
            (["--controller", where, "--tag", "short"], "no element 57: make it an array DINT[58]"),
            (["--controller", where, "--tag", "single"], "make it an array DINT[58]"),
            (["--controller", where, "--tag", "none"], "no tag none: create it as DINT[58]"),
            (["--controller", "[::1]:44818"], "IPv4"),
            (["--controller", where, "--tag", "draem[0]"], "without an index"),
            (["--controller", where, "--tag", 61 * "x"], "up to 60 characters"),
            (["--controller", where, "--slot", "32"], "a whole number from 0 to 31"),
        ):
            assert says in mistaken("ethernet-ip", *words), words
    finally:
        plc.stop()
