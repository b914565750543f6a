"""The station that each wire's bridge is tried with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import draem
from tests.support.bridge.mqtt import Broker
from tests.support.bridge.triggered_line import TriggeredLine
from tests.support.ports import free_ports
from tests.support.running_station import Running


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    """A part every 20 ms; every seventh is NG."""
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.fixture
def triggered_line() -> Iterator[TriggeredLine]:
    """A line whose camera is triggered by the program, in a process of its own."""
    with TriggeredLine(f"tcp://127.0.0.1:{free_ports(1)[0]}") as made:
        yield made


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that listens on this machine."""
    made = Broker(tmp_path)
    yield made
    made.kill()


Mistaken = Callable[..., str]


@pytest.fixture
def mistaken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Mistaken:
    """What `draem bridge` says, in this process, to words that are wrong: one line."""
    monkeypatch.chdir(tmp_path)

    def say(*words: str) -> str:
        capsys.readouterr()
        assert draem.main(["bridge", *words]) == 2, words
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1, said
        assert said[0].startswith("draem: ")
        return said[0]

    return say
