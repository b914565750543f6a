"""The units of systemd."""

import re
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "deploy").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_allows_more_open_files_than_the_usual_1024(unit: Path) -> None:
    found = re.search(r"^LimitNOFILE=(\d+)$", unit.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 8192
