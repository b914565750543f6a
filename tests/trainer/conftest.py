"""Images for the tests of the trainer."""

from pathlib import Path

import pytest

from tests.conftest import write_parts


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with 24 images of good lids."""
    write_parts(tmp_path / "good", 24, seed=5)
    return tmp_path / "good"
