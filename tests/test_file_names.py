"""Names of files and folders that are not UTF-8, as Windows and old cameras leave them."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Plant, draem, write_parts

LATIN = os.fsdecode(b"teil_\xfc.png")
FOLDER = os.fsdecode(b"gepr\xfcft")


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A folder of such a name with good parts, the first of them of such a name too."""
    paths = write_parts(tmp_path / FOLDER, 12, seed=4)
    paths[0].rename(paths[0].with_name(LATIN))
    return tmp_path / FOLDER


def ended_well(plant: Plant, *words: str | Path, code: int = 0) -> str:
    """The output of `draem WORDS`, which must be valid UTF-8."""
    done = draem(*map(str, words), cwd=plant.root)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    return done.stdout


def test_inspect_judges_a_file_whose_name_is_not_utf_8(
    calibrated: Plant, latin: Path, tmp_path: Path
) -> None:
    maps = tmp_path / os.fsdecode(b"k\xe4rtchen")
    shown = ended_well(calibrated, "inspect", latin, "--product", "lid", "--maps", maps)
    assert "teil_\ufffd.png" in shown
    assert len(list(maps.iterdir())) == 24
    rows = ended_well(calibrated, "inspect", latin / LATIN, "--product", "lid", "--json")
    assert json.loads(rows)["path"].endswith("gepr\ufffdft/teil_\ufffd.png")
