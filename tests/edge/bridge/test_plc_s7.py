"""`draem bridge s7` between a real station and snap7's server as the PLC."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.bridge.feed import BridgeError
from edge.bridge.plc_commands import CommandAnswer
from edge.bridge.protocols.register_docs import SIGNALS, scl
from edge.bridge.protocols.registers import READ, nothing_written, offset, size, text_of
from edge.bridge.protocols.s7 import HEARTBEAT, Block, Plc
from edge.bridge.signals import COUNTED, Signals, Trouble
from tests.conftest import draem
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.process import bridge_process
from tests.support.bridge.s7 import BLOCK, S7Plc
from tests.support.bridge.tcp import Between, wait_until_kept_alive
from tests.support.ports import free_ports
from tests.support.running_station import Running


def valid(found: dict[str, int]) -> bool:
    return bool(found["status"] & 16)


@pytest.fixture
def plc() -> Iterator[S7Plc]:
    made = S7Plc()
    yield made
    made.stop()


@pytest.fixture
def bridge(station: Running, plc: S7Plc, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-m", "draem", "bridge", "s7", "--endpoint", station.endpoint,
        "--s7", f"127.0.0.1:{plc.port}", "--block", str(BLOCK), "--results", "dequeue",
        "--buffer", "50", "--data", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_each_verdict_comes_once_in_order(plc: S7Plc, bridge: subprocess.Popen[str]) -> None:
    taken: list[int] = []
    while len(taken) < 10:
        found = plc.until(lambda v: valid(v) and v["inspection_id"] != plc.acknowledged)
        assert not taken or found["inspection_id"] == taken[-1] + 1
        taken.append(found["inspection_id"])
        assert found["verdict"] == (2 if found["trigger_id"] % 7 == 0 else 1)
        assert found["encoder"] - 2**32 == -10 * found["trigger_id"]
        assert text_of(found["part_id"], 16) == f"lid-{found['trigger_id']}"
        plc.acknowledged = found["inspection_id"]


def test_a_plc_that_has_gone_is_logged_once_and_found_again(
    plc: S7Plc, bridge: subprocess.Popen[str]
) -> None:
    before = plc.until(valid)
    plc.acknowledged = before["inspection_id"]
    plc.stop()
    plc.start()
    plc.until(lambda v: valid(v) and v["inspection_id"] > before["inspection_id"], 20)
    bridge.terminate()
    said = bridge.communicate(timeout=20)[1].splitlines()
    assert ["connection to the PLC is lost" in line for line in said] == [False, True, False], said


def test_a_plc_that_ends_the_connection_between_two_cycles_is_logged_too(
    plc: S7Plc, station: Running, tmp_path: Path
) -> None:
    between = Between(plc.port)
    with ExitStack() as stack:
        stack.callback(between.close)
        words = ("s7", "--s7", f"127.0.0.1:{between.port}", "--block", str(BLOCK))
        bridge = bridge_process(stack, station, tmp_path, *words)
        plc.until(valid)
        wait_until_kept_alive(remote=between.port)  # a PLC without power is noticed too
        between.cut()
        assert bridge.stderr is not None
        said = [bridge.stderr.readline() for _ in range(3)]
    assert ["exchanging" in line for line in said] == [True, False, True], said
    assert "PLC is lost (it has closed the connection): connecting again" in said[1]


def test_a_second_bridge_on_one_data_block_ends_and_the_first_goes_on(
    plc: S7Plc, bridge: subprocess.Popen[str], tmp_path: Path, mistaken: Mistaken
) -> None:
    """The PLC would take the verdicts of one station for those of another."""
    plc.until(valid)
    other = ("s7", "--s7", f"127.0.0.1:{plc.port}", "--block", str(BLOCK), "--simulate", "9")
    assert "another bridge writes into DB100 of the PLC" in mistaken(*other)
    last = plc.read()
    assert last["product"] == 0
    plc.until(lambda v: valid(v) and v["heartbeat"] != last["heartbeat"])
    assert bridge.poll() is None


def test_of_two_bridges_that_meet_on_one_data_block_one_ends(plc: S7Plc) -> None:
    """As after an outage: both had connected before either wrote."""
    block = Block(Plc("127.0.0.1", plc.port, 0, 1, BLOCK))
    block.connect()
    block.write(Signals(counts=dict.fromkeys(COUNTED, 0)), nothing_written(), CommandAnswer())
    assert block.read()["plc_heartbeat"] == 0, "its own heartbeat is no other bridge's"
    plc.data[HEARTBEAT : HEARTBEAT + 2] = bytes(2)
    block.read()  # the PLC has loaded its start values, and nobody counts
    counting = threading.Event()

    def count() -> None:
        for beat in itertools.count(1):
            plc.data[HEARTBEAT : HEARTBEAT + 2] = (beat % 65536).to_bytes(2, "big")
            if counting.wait(0.01):
                break

    other = threading.Thread(target=count)
    other.start()
    try:
        while not any(plc.data[HEARTBEAT : HEARTBEAT + 2]):
            time.sleep(0.001)
        with pytest.raises(BridgeError, match="another bridge writes into DB100"):
            block.read()
    finally:
        counting.set()
        other.join()


def test_the_last_word_is_no_valid_result(plc: S7Plc, bridge: subprocess.Popen[str]) -> None:
    plc.until(valid)
    bridge.terminate()
    _, said = bridge.communicate(timeout=20)
    found = plc.read()
    assert (found["status"] & 0b10011, found["inspection_id"], found["verdict"]) == (0, 0, 2)
    assert found["trouble"] == Trouble.STARTING
    assert "Traceback" not in said


def test_mistakes_are_one_line_each_and_the_type_is_printed(
    tmp_path: Path, plc: S7Plc, mistaken: Mistaken
) -> None:
    port = free_ports(1)[0]
    for words, says in (
        ([], "add --s7 HOST:PORT"),
        (["--s7", f"127.0.0.1:{port}"], "is it there"),
        (["--s7", f"127.0.0.1:{plc.port}", "--block", "7"], "DB7 of the PLC"),
    ):
        assert says in mistaken("s7", *words), words
    done = draem("bridge", "s7", "--scl", cwd=tmp_path)
    assert done.stdout.strip() == scl()
    text = (Path(__file__).parents[3] / "docs/plc/s7.md").read_text(encoding="utf-8")
    assert scl() in text, "the documented type is the one that is written"
    for kind, name in (("H", "status"), ("I", "inspection_id"), ("H", "verdict")):
        at = SIGNALS + 2 * offset(READ, name)
        assert f'({name},) = struct.unpack_from(">{kind}", block, {at})' in text
    place = f"The block has {SIGNALS + 2 * size(READ)} bytes, and `map` is at byte {SIGNALS}."
    assert place in " ".join(text.split())
