"""The station that each wire's bridge is tried with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import draem
from tests.support.running_station import Running


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    """A part every 20 ms; every seventh is NG."""
    running = Running(tmp_path)
    yield running
    running.close()


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
