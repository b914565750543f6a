"""`draem bridge s7` between a real station and snap7's server as the PLC."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bridge.protocols.register_docs import SIGNALS, scl
from edge.bridge.protocols.registers import (
    READ,
    size,
    text_of,
)
from edge.bridge.signals import Trouble
from tests.conftest import draem
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.s7 import BLOCK, S7Plc
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


def test_a_plc_that_goes_and_comes_back_is_found_again(
    plc: S7Plc, bridge: subprocess.Popen[str]
) -> None:
    before = plc.until(valid)
    plc.acknowledged = before["inspection_id"]
    plc.stop()
    plc.start()
    after = plc.until(lambda v: valid(v) and v["heartbeat"] > before["heartbeat"], 20)
    assert after["inspection_id"] > before["inspection_id"]
    bridge.terminate()
    said = bridge.communicate(timeout=20)[1].splitlines()
    assert len([line for line in said if "exchanging" not in line]) == 1, said


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
    text = (Path(__file__).parents[3] / "docs/plc.md").read_text(encoding="utf-8")
    assert scl() in text, "the documented type is the one that is written"
    place = f"The block has {SIGNALS + 2 * size(READ)} bytes, and `map` is at byte {SIGNALS}."
    assert place in " ".join(text.split())
