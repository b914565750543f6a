"""The subscriber in docs/subscriber.cpp, compiled and run against a station."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.events.client import service_endpoint
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from tests.support.running_station import Running
from tests.support.waiting import wait_until

SOURCE = Path(__file__).parents[3] / "docs" / "subscriber.cpp"


def wait_for_events(log: Path) -> None:
    """Wait for events that are published while no subscriber runs."""
    with JournalReader(log) as reader:
        head = reader.head()
        wait_until(lambda: reader.head() >= head + 5, "5 more events in the log")


def run_until_killed(words: list[str], printed: Path) -> None:
    """Kill the subscriber after it has printed 25 more events."""
    enough = printed.read_bytes().count(b"\n") + 25
    with printed.open("a") as out, subprocess.Popen(words, stdout=out) as subscriber:
        wait_until(lambda: printed.read_bytes().count(b"\n") >= enough, "25 more events")
        subscriber.kill()


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
    printed.touch()
    try:
        for _ in range(3):
            wait_for_events(tmp_path / "data" / "station-1")
            run_until_killed(words, printed)
    finally:
        station.close()
    seqs = [int(line.split()[0]) for line in printed.read_text().splitlines()]
    with JournalReader(tmp_path / "data" / "station-1") as reader:
        headers = [decode(message).header for message in reader.page(0, 10_000)]
    logged = [h.seq for h in headers if isinstance(h, Inspection) and h.seq <= seqs[-1]]
    once = list(dict.fromkeys(seqs))
    assert once == logged
    assert len(seqs) - len(once) <= 2, "at each kill at most the one that was processed came again"
