"""draem run --all: several stations are started and stopped together, and fail separately."""

import signal
import subprocess
import sys
from pathlib import Path

from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal import JournalError
from edge.events.journal_reader import JournalReader
from tests.conftest import Plant
from tests.support.cameras import wait_for
from tests.support.commands import draem_in_process
from tests.support.ports import free_ports


def judged(folder: Path) -> int:
    """How many inspections a station's log has."""
    try:
        with JournalReader(folder) as reader:
            headers = [decode(message).header for message in reader.page(0, 10**6)]
    except JournalError:
        return 0
    return sum(isinstance(header, Inspection) for header in headers)


def write(root: Path, name: str, plant: Plant, seed: int) -> None:
    (root / "stations").mkdir(exist_ok=True)
    port = free_ports(4)[0]
    (root / "stations" / f"{name}.toml").write_text(
        f'station = "{name}"\nproduct = "lid"\nproducts = "{plant.products}"\n'
        f'source = "line://moulded?rate=10&seed={seed}"\nendpoint = "tcp://127.0.0.1:{port}"\n'
    )


def test_stations_run_and_end_together(calibrated: Plant, tmp_path: Path) -> None:
    for seed, name in enumerate(("top", "side")):
        write(tmp_path, name, calibrated, seed)
    command = [sys.executable, "-m", "draem", "run", "--all"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        for name in ("top", "side"):
            wait_for(lambda n=name: judged(tmp_path / "data" / n) > 3, 60)  # type: ignore[misc]
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    lines = log.splitlines()
    assert all(line.startswith(("top: ", "side: ", "station ")) for line in lines), log
    for name in ("top", "side"):
        assert any(line.startswith(f"{name}: publishing on") for line in lines)
    assert "station top has ended with 0" in log
    assert "station side has ended with 0" in log


def test_a_station_that_ends_does_not_end_the_others(calibrated: Plant, tmp_path: Path) -> None:
    write(tmp_path, "top", calibrated, 1)
    (tmp_path / "stations" / "broken.toml").write_text('station = "broken"\n')
    command = [sys.executable, "-m", "draem", "run", "--all"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: judged(tmp_path / "data" / "top") > 3, 60)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "no product named" in log


def test_without_stations_it_is_an_error(tmp_path: Path) -> None:
    done = draem_in_process("run", "--all", cwd=tmp_path)
    assert done.returncode == 2
    assert "write stations/NAME.toml for each station" in done.stderr


def test_options_of_a_single_station_are_an_error(tmp_path: Path) -> None:
    done = draem_in_process("run", "--all", "--product", "lid", cwd=tmp_path)
    assert done.returncode == 2
    assert "--product cannot be given with --all" in done.stderr
