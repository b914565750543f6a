"""`draem calibrate --images 'archive:QUERY'`: good parts that training did not see."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from edge.base.files import digest
from edge.product.manifest import MANIFEST
from edge.product.product import Product, load_product
from tests.conftest import Plant, write_parts
from tests.support.commands import draem_in_process
from tests.support.labelled_archive import Frame, make_archive

GOOD, BAD = 24, 4


@pytest.fixture
def archived(tmp_path: Path, plant: Plant) -> list[Path]:
    """A trained product, and an archive: OK parts, false rejects, missed ones, an NG one."""
    shutil.copytree(plant.products, tmp_path / "products", symlinks=True)
    good = write_parts(tmp_path / "parts", GOOD, seed=41)
    bad = write_parts(tmp_path / "bad", BAD, seed=42, defective=True)
    frames = [Frame(file) for file in good[:-4]]
    frames += [Frame(file, "NG", "false-reject") for file in good[-4:]]
    frames += [Frame(file, label="missed") for file in bad[:3]] + [Frame(bad[3], "NG")]
    make_archive(tmp_path, frames)
    return [*good, *bad]


def calibrate(folder: Path, *words: str) -> tuple[int, str]:
    done = draem_in_process("calibrate", "--product", "lid", *words, cwd=folder)
    return done.returncode, done.stderr


def made(folder: Path) -> Product:
    return load_product(folder / "products", "lid", "newest")


def rows(product: Product) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((product.path / "sources.json").read_text())["images"]
    return found


def test_good_parts_of_an_archive_calibrate_and_missed_ones_show_escapes(
    archived: list[Path], tmp_path: Path
) -> None:
    code, told = calibrate(tmp_path, "--images", "archive:", "--bad", "archive:label=missed")
    assert code == 0, told
    assert f"{GOOD} pictures; left out: 3 labelled missed, 1 NG without a label" in told
    assert f"{GOOD + 3} frames were picked, by people or by their verdict" in told
    product = made(tmp_path)
    assert product.calibration is not None
    assert len(product.calibration.scores) == GOOD
    assert product.calibration.escapes is not None
    assert product.calibration.escapes.bad == 3
    kept = rows(product)
    assert Counter(row["split"] for row in kept) == {"calibration": GOOD, "bad": 3}
    assert {row["path"] for row in kept} == {f"archive:1-{n}" for n in range(1, GOOD + 4)}
    assert {row["sha256"] for row in kept} == {digest(file) for file in archived[:-1]}
    assert "archive:1-" in told, "the frames with the highest scores are named by their key"
    code, told = calibrate(tmp_path)
    assert code == 2
    assert "name them again with --images 'archive:QUERY'" in told


def saw(product: Product, files: list[Path], split: str) -> None:
    """Change a version's record as if training had seen these."""
    seen = [{"sha256": digest(file), "path": "archive:9-9", "split": split} for file in files]
    (product.path / "sources.json").write_text(json.dumps({"images": seen}))
    manifest = json.loads((product.path / MANIFEST).read_text())
    manifest["files"]["sources.json"] = digest(product.path / "sources.json")
    (product.path / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_parts_of_an_archive_that_training_saw_are_left_out_by_content(
    archived: list[Path], tmp_path: Path, split: str
) -> None:
    saw(made(tmp_path), archived[:7], split)
    code, told = calibrate(tmp_path, "--images", "archive:", str(tmp_path / "parts"))
    assert code == 0, told
    assert "14 images left out: training saw them" in told, "in the archive and in the folder"
    used = [row["sha256"] for row in rows(made(tmp_path)) if row["split"] == "calibration"]
    assert set(used) == {digest(file) for file in archived[7:GOOD]}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--images", "archive:label=missed"), "(left out: 3 labelled missed)"),
        (("--images", "archive:", "--bad", "archive:label=false-reject"), "4 labelled false-rej"),
        (("--images", "archive:version=99"), "no part fits it"),
        (("--images", "archive:", "--archive-database", "nowhere.db"), "no archive at nowhere.db"),
    ],
)
def test_what_an_archive_cannot_say_is_refused(
    archived: list[Path], tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    before = made(tmp_path).version
    code, told = calibrate(tmp_path, *words)
    assert code == 2
    last = told.splitlines()[-1]
    assert last.startswith("draem: ")
    assert says in last
    assert made(tmp_path).version == before
