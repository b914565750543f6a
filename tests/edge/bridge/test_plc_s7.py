"""`draem bridge s7` between a real station and snap7's server as the PLC."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from snap7.server import Server
from snap7.type import SrvArea

from edge.bridge.protocols.register_docs import SIGNALS, scl
from edge.bridge.protocols.registers import (
    READ,
    WRITE,
    nothing_written,
    pack,
    size,
    text_of,
    unpack,
)
from edge.bridge.signals import Trouble
from tests.conftest import draem
from tests.edge.bridge.conftest import Mistaken
from tests.support.ports import free_ports
from tests.support.running_station import Running

BLOCK = 100


class Plc:
    """A PLC with one data block, whose program runs when it is asked to."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.data = bytearray(SIGNALS + 2 * size(READ))
        self._beat = self.acknowledged = 0
        self.command = self.product = 0
        self.trigger: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self._server = Server(log=False)
        self._server.register_area(SrvArea.DB, BLOCK, self.data)
        self._server.start(self.port)

    def stop(self) -> None:
        self._server.stop()

    def read(self) -> dict[str, int]:
        raw = self.data[SIGNALS:]
        words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        return unpack(READ, words, "high-first")

    def write(self) -> None:
        self._beat += 1
        values = nothing_written() | {
            "plc_heartbeat": self._beat, "results_ack": self.acknowledged,
            "command": self.command, "product_wanted": self.product,
        } | self.trigger  # fmt: skip
        words = pack(WRITE, values, "high-first")
        self.data[: 2 * len(words)] = b"".join(word.to_bytes(2, "big") for word in words)

    def until(self, due: Callable[[dict[str, int]], Any], seconds: float = 10) -> dict[str, int]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.write()
            if due(found := self.read()):
                return found
            time.sleep(0.005)
        raise AssertionError(f"not within {seconds} s, the last was {found}")


def valid(found: dict[str, int]) -> bool:
    return bool(found["status"] & 16)


@pytest.fixture
def plc() -> Iterator[Plc]:
    made = Plc()
    yield made
    made.stop()


@pytest.fixture
def bridge(station: Running, plc: Plc, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-m", "draem", "bridge", "s7", "--endpoint", station.endpoint,
        "--s7", f"127.0.0.1:{plc.port}", "--block", str(BLOCK), "--results", "dequeue",
        "--buffer", "50", "--data", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_each_verdict_comes_once_in_order(plc: Plc, bridge: subprocess.Popen[str]) -> None:
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
    plc: Plc, bridge: subprocess.Popen[str]
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


def test_the_last_word_is_no_valid_result(plc: Plc, bridge: subprocess.Popen[str]) -> None:
    plc.until(valid)
    bridge.terminate()
    _, said = bridge.communicate(timeout=20)
    found = plc.read()
    assert (found["status"] & 0b10011, found["inspection_id"], found["verdict"]) == (0, 0, 2)
    assert found["trouble"] == Trouble.STARTING
    assert "Traceback" not in said


def test_mistakes_are_one_line_each_and_the_type_is_printed(
    tmp_path: Path, plc: Plc, mistaken: Mistaken
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
