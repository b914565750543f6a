"""What the tests of releases share."""

from collections.abc import Iterator

import pytest

from tests.support.forge import Forge


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Processes that die where a test says."""
    with Forge() as forge:
        yield forge
