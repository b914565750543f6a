"""`draem log` after a real run: what happened, by verdict, as a table and as masks."""

import csv
from pathlib import Path

import cv2

from tests.conftest import Plant, write_parts
from tests.support.commands import draem_in_process


def test_the_journal_of_a_run_is_shown_and_exported(calibrated: Plant, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "parts", 6, seed=1)
    parts[2].write_bytes(b"broken")
    run = ("run", "--product", "lid", "--source", str(tmp_path / "parts"), "--data",
           str(tmp_path / "data"), "--endpoint", "tcp://127.0.0.1:*")  # fmt: skip
    for _ in range(2):
        done = draem_in_process(*run, cwd=calibrated.root)
        assert done.returncode == 0, done.stderr
    look = ("log", "--data", str(tmp_path / "data"))
    shown = draem_in_process(*look, "--last", "100", cwd=calibrated.root)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) == 2 * (1 + 6 + 1)
    none = draem_in_process(
        *look, "--verdict", "NO_VERDICT", cwd=calibrated.root
    ).stdout.splitlines()
    assert len(none) == 2
    assert all("frame_unreadable" in row for row in none)
    table, masks = tmp_path / "table.csv", tmp_path / "masks"
    draem_in_process(*look, "--csv", str(table), "--masks", str(masks), cwd=calibrated.root)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["inspection_id"]) for row in rows] == list(range(1, 13))
    assert [row["code"] for row in rows].count("frame_unreadable") == 2
    assert len(list(masks.iterdir())) == 10
    mask = cv2.imread(str(masks / "1.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (64, 64)
    missing = draem_in_process("log", "--station", "nobody", cwd=tmp_path)
    assert missing.returncode == 2
    assert "--station" in missing.stderr
