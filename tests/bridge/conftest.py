"""The station that each wire's bridge is tried with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.running import Running


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    """A part every 20 ms; every seventh is NG."""
    running = Running(tmp_path)
    yield running
    running.close()
