"""`draem train --also 'archive:QUERY'`: parts that people called good, and no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.archive.places import DATABASE, PICTURES, ArchiveAddress, fixed_query
from edge.base.files import digest
from edge.commands.all_products import Task, resumed
from edge.product.product import load_product
from tests.conftest import write_parts
from tests.support.commands import draem_in_process
from tests.support.labelled_archive import Frame, label, make_archive
from tests.support.training import ALONE, SMALL, small_settings
from trainer.training.checkpoint import Checkpoint
from trainer.training.job import read_sources
from trainer.training.state import initial_state

WITHOUT_SQLALCHEMY = """
import sys
sys.modules["sqlalchemy"] = None
import draem
sys.exit(draem.main(sys.argv[1:]))
"""
REJECTS = "archive:label=false-reject"


@pytest.fixture
def archived(tmp_path: Path) -> list[Path]:
    """Pictures of an archive in the test's folder: 1-1 to 1-3 false rejects, the others not."""
    files = write_parts(tmp_path / "parts", 6, seed=31)
    frames = [Frame(file, "NG", "false-reject") for file in files[:3]]
    frames += [Frame(files[3], "NG", "defect"), Frame(files[4], "NG"), Frame(files[5])]
    make_archive(tmp_path, frames)
    return files


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return draem_in_process("train", *words, "--product", "lid", cwd=folder)


def rows_of(folder: Path) -> list[dict[str, object]]:
    product = load_product(folder / "products", "lid")
    found: list[dict[str, object]] = json.loads((product.path / "sources.json").read_text())[
        "images"
    ]
    return [row for row in found if "archived" in row]


def test_false_rejects_of_an_archive_are_trained_from_with_their_provenance(
    images: Path, archived: list[Path], tmp_path: Path
) -> None:
    words = (str(images), *SMALL, "--steps", "2", "--also", REJECTS, "--also", "archive:verdict=OK")
    done = train(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    assert [row["path"] for row in rows] == [f"archive:1-{n}" for n in (3, 2, 1, 6)]
    assert [row["sha256"] for row in rows] == [digest(archived[n]) for n in (2, 1, 0, 5)]
    assert {row["split"] for row in rows} == {"train"}, "they were selected"
    known = rows[0]["archived"]
    assert isinstance(known, dict)
    query = known.pop("query")
    assert known == {
        "key": "1-3", "station": "line-1", "inspection_id": 3, "product": "lid", "version": "3",
        "captured_at": "2026-11-02T06:00:03+00:00", "verdict": "NG", "label": "false-reject",
        "kind": None,
    }  # fmt: skip
    assert query.startswith("archive:until=2")
    assert query.endswith(" product=lid label=false-reject")
    kept = load_product(tmp_path / "products", "lid").manifest.origin["archived"]
    assert str(kept).split("; ")[0] == query
    assert f"{query}: 3 pictures" in done.stderr


def test_no_defect_of_an_archive_is_trained_on_whatever_the_query(
    images: Path, archived: list[Path], tmp_path: Path
) -> None:
    done = train(tmp_path, str(images), *SMALL, "--steps", "2", "--also", "archive:")
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in rows_of(tmp_path)] == [f"archive:1-{n}" for n in (6, 3, 2, 1)]
    assert "left out: 1 NG without a label, 1 labelled defect" in done.stderr
    words = (str(images), *SMALL, "--steps", "2", "--also", "archive:label=defect")
    refused = train(tmp_path, *words)
    assert refused.returncode == 2
    assert "gives no picture that can be used (left out: 1 labelled defect)" in refused.stderr


def test_the_crop_applies_to_whole_frames_of_an_archive(
    images: Path, archived: list[Path], tmp_path: Path
) -> None:
    settings = {"images": str(images), "crop": (10, 20, 64, 64)}
    address = ArchiveAddress(str(tmp_path / DATABASE), str(tmp_path / PICTURES))
    asked = small_settings(**settings, archived=[fixed_query(REJECTS, "lid")])
    folder = tmp_path / "same"
    folder.mkdir()
    for number, file in enumerate(archived[2::-1]):
        shutil.copy(file, folder / f"{number}.png")
    same = small_settings(**settings, also=[str(folder)])
    found, expected = read_sources(asked, address), read_sources(same)
    assert found.digests == expected.digests
    assert (found.images == expected.images).all()


def unfinished(images: Path, folder: Path, address: ArchiveAddress) -> None:
    """A training with false rejects that was interrupted before its first step."""
    places = {"images": str(images), "products": str(folder / "products"), "runs": "runs"}
    queries = [fixed_query("archive:label=false-reject since=90d", "lid")]
    settings = small_settings(**places, steps=2, archived=queries)
    state = initial_state(settings, ALONE).saved()
    seen = read_sources(settings, address).training_images().digest
    Checkpoint(settings, seen, 1, state).save(folder / "runs/lid")


@pytest.fixture
def recent(tmp_path: Path, archived: list[Path]) -> ArchiveAddress:
    """The archive of `archived` under another address than the usual one."""
    (tmp_path / "archive").rename(tmp_path / "moved")
    return ArchiveAddress("moved/archive.db", "moved/pictures")


def test_a_training_with_parts_of_an_archive_is_resumed(
    images: Path, tmp_path: Path, recent: ArchiveAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unfinished(images, tmp_path, recent)
    elsewhere = train(tmp_path, "--resume")
    assert elsewhere.returncode == 2
    assert "there is no archive at archive/archive.db" in elsewhere.stderr
    assert "--archive-database" in elsewhere.stderr
    words = ("--archive-database", recent.database, "--archive-pictures", recent.pictures)
    done = train(tmp_path, "--resume", *words)
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in rows_of(tmp_path)] == [f"archive:1-{n}" for n in (3, 2, 1)]


def test_other_labels_in_the_archive_are_another_training(
    images: Path, tmp_path: Path, archived: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unfinished(images, tmp_path, ArchiveAddress())
    label(tmp_path, "1-2", "missed")
    done = train(tmp_path, "--resume")
    assert done.returncode == 2
    assert "(or of --also, or the textures) have changed since the training started" in done.stderr
    assert not (tmp_path / "products").exists()


def test_many_products_resume_with_their_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--also", REJECTS, "--archive-database", "a.db", "--archive-pictures=p"]
    task = Task("lid", ["train", "good", *words, "--product", "lid"], Path("lid.log"))
    (tmp_path / "runs" / "lid").mkdir(parents=True)
    (tmp_path / "runs" / "lid" / "checkpoint.pt").write_bytes(b"")
    (tmp_path / "lid.words").write_text(task.digest())
    assert resumed(task) == ["train", "--resume", "--product", "lid", *words[2:]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("good", "--also", "archive:colour=red"), "'colour=red' is not NAME=VALUE"),
        (("good", "--also", "archive:since=soon"), "'since=soon' cannot be used"),
        (("archive:label=false-reject",), "goes with --also"),
        (("good", "--also", "archive:product=cup"), "no part fits it"),
        (("good", "--also", REJECTS, "--archive-database", "nowhere.db"), "no archive at nowhere"),
        (("good", "--also", REJECTS, "--archive-pictures", "nosuch://x"), "cannot go to nosuch"),
    ],
)
def test_a_mistake_in_a_query_of_the_archive_is_one_line(
    words: tuple[str, ...], says: str, images: Path, archived: list[Path], tmp_path: Path
) -> None:
    done = train(tmp_path, *words, *SMALL, "--steps", "2")
    assert done.returncode == 2
    (last,) = [line for line in done.stderr.splitlines() if line.startswith("draem: ")]
    assert says in last
    assert not (tmp_path / "products/lid").exists()


def test_an_ablation_refuses_an_archive(images: Path, tmp_path: Path) -> None:
    done = draem_in_process("ablate", str(images), "--also", REJECTS, cwd=tmp_path)
    assert done.returncode == 2
    assert "an ablation takes folders alone" in done.stderr


@pytest.mark.parametrize("also", [(), ("--also", REJECTS)])
def test_only_a_query_of_an_archive_needs_the_extra(
    images: Path, archived: list[Path], tmp_path: Path, also: tuple[str, ...]
) -> None:
    words = ("train", str(images), "--product", "lid", *SMALL, "--steps", "1", *also)
    command = [sys.executable, "-c", WITHOUT_SQLALCHEMY, *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    if also:
        assert done.returncode == 2
        assert (
            "sqlalchemy is missing: run './just setup', or pip install '.[archive]'" in done.stderr
        )
        assert "Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
