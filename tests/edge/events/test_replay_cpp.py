"""The subscriber in docs/subscriber.cpp, compiled and run against a station."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from edge.events.client import service_endpoint
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from tests.support.running_station import Running

SOURCE = Path(__file__).parents[3] / "docs" / "subscriber.cpp"


def test_replay_makes_a_subscriber_in_cpp_gapless(tmp_path: Path) -> None:
    """Killed, started again, late: every trigger once and in order."""
    binary = tmp_path / "subscriber"
    compiler = shutil.which("g++")
    if compiler is None or not Path("/usr/include/zmq.h").exists():
        pytest.skip("apt install g++ libzmq3-dev nlohmann-json3-dev")
    subprocess.run([compiler, "-std=c++17", str(SOURCE), "-lzmq", "-o", str(binary)], check=True)
    station = Running(tmp_path / "data")
    words = [
        str(binary),
        str(tmp_path / "cursor.json"),
        station.endpoint,
        service_endpoint(station.endpoint),
    ]
    printed = tmp_path / "printed"
    try:
        for _ in range(3):
            time.sleep(0.5)
            with printed.open("a") as out:
                far = subprocess.Popen(words, stdout=out)
                time.sleep(1.5)
                far.kill()
                far.wait()
    finally:
        station.close()
    seqs = [int(line.split()[0]) for line in printed.read_text().splitlines()]
    with JournalReader(tmp_path / "data" / "station-1") as reader:
        headers = [decode(message).header for message in reader.page(0, 10_000)]
    told = [h.seq for h in headers if isinstance(h, Inspection) and h.seq <= seqs[-1]]
    assert len(told) > 100
    once = list(dict.fromkeys(seqs))
    assert once == told
    assert len(seqs) - len(once) <= 2, "at most the one in hand at each kill came again"
