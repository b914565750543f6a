"""`draem evaluate 'archive:QUERY'`: labels are the truth, and two versions are compared."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.base.files import digest
from edge.product.manifest import MANIFEST
from tests.conftest import Plant, made_once, write_parts
from tests.support.commands import draem_in_process
from tests.support.labelled_archive import Frame, make_archive

GOOD, BAD, UNSURE, UNLABELLED = 10, 6, 2, 8


@pytest.fixture(scope="module")
def plant_with_archive(calibrated: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 2 and 3 differ in their thresholds alone; 1 has none. Keys begin with good parts."""

    def make(root: Path) -> None:
        shutil.copytree(calibrated.products, root / "products", symlinks=True)
        good = write_parts(root / "images/good", GOOD + UNLABELLED, seed=52)
        bad = write_parts(root / "images/bad", BAD + UNSURE, seed=53, defective=True)
        words = ("calibrate", "--product", "lid", "--version", "1", "--images", "images/good")
        done = draem_in_process(*words, "--false-reject-rate", "0.5", cwd=root)
        assert done.returncode == 0, done.stderr
        frames = [Frame(file, "NG", "false-reject") for file in good[:GOOD]]
        frames += [Frame(file, "NG", "defect") for file in bad[:3]]
        frames += [Frame(file, label="missed") for file in bad[3:BAD]]
        frames += [Frame(file, label="unsure") for file in bad[BAD:]]
        frames += [Frame(file) for file in good[GOOD:]] + [Frame(None)]
        make_archive(root, frames)

    return made_once(tmp_path_factory, "plant_with_archive", make)


def evaluate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return draem_in_process("evaluate", *words, "--product", "lid", cwd=folder)


def test_labelled_parts_of_an_archive_are_a_test_set(
    plant_with_archive: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    words = ("archive:", "--version", "2", "--report", str(page))
    done = evaluate(plant_with_archive, *words, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["images"], figures["defective"]) == (GOOD + BAD, BAD)
    kinds = {kind: one["images"] for kind, one in figures["by_defect"].items()}
    assert kinds == {"scratch": 3, "missed": 3}
    assert f"{UNLABELLED + 1} without a label, {UNSURE} labelled unsure" in done.stderr
    assert "good/1-9.png, score" in page.read_text()
    folder = tmp_path / "set/test"
    for kind, files in {"good": range(GOOD), "bad": range(BAD)}.items():
        (folder / kind).mkdir(parents=True)
        for number in files:
            source = plant_with_archive / "images" / kind / f"part_{number:03d}.png"
            shutil.copy(source, folder / kind / source.name)
    same = json.loads(evaluate(plant_with_archive, str(folder), "--version", "2", "--json").stdout)
    assert same["image_auroc"] == figures["image_auroc"]
    assert same["calibrated"] == figures["calibrated"]


def inspected(folder: Path, version: str) -> dict[str, tuple[str, float]]:
    """Verdict and score of each picture as a line gives them."""
    words = ("inspect", "images", "--product", "lid", "--version", version, "--json")
    rows = map(json.loads, draem_in_process(*words, cwd=folder).stdout.splitlines())
    return {row["path"]: (row["verdict"], row["score"]) for row in rows}


def test_two_versions_are_compared_on_parts_of_an_archive(
    plant_with_archive: Path, tmp_path: Path
) -> None:
    words = ("archive:", "--version", "3", "--against", "2")
    page = tmp_path / "page.html"
    done = evaluate(plant_with_archive, *words, "--json", "--report", str(page))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parts"] == GOOD + BAD + UNSURE + UNLABELLED
    assert (found["good"], found["defective"]) == (GOOD, BAD)
    assert "1 whose picture was not kept" in done.stderr
    pictures = [f"images/good/part_{n:03d}.png" for n in range(GOOD)]
    pictures += [f"images/bad/part_{n:03d}.png" for n in range(BAD + UNSURE)]
    pictures += [f"images/good/part_{n:03d}.png" for n in range(GOOD, GOOD + UNLABELLED)]
    versions = [inspected(plant_with_archive, version) for version in ("3", "2")]
    verdicts = {
        f"1-{number}": [version[picture] for version in versions]
        for number, picture in enumerate(pictures, 1)
    }
    for index, name in enumerate(("version", "against")):
        said = [pair[index][0] for pair in verdicts.values()]
        assert found[name]["false_rejects"] == sum(v != "OK" for v in said[:GOOD])
        assert found[name]["escapes"] == sum(v == "OK" for v in said[GOOD : GOOD + BAD])
    different = {row["key"]: row for row in found["differences"]}
    assert different.keys() == {k for k, (a, b) in verdicts.items() if a[0] != b[0]}
    for key, row in different.items():
        pair = [(row[name]["verdict"], row[name]["score"]) for name in ("judged", "against")]
        assert pair == verdicts[key], "as the line judges them"
    truths = {row["truth"] for row in different.values()}
    assert truths == {"good", "-"}, "parts without a label are listed too"
    assert found["version"]["false_rejects"] > found["against"]["false_rejects"]
    text = page.read_text()
    assert text.count("<img") == len(different)
    assert all(f"<td>{key}</td>" in text for key in different)


def test_what_an_archive_shows_of_two_versions_is_a_table(plant_with_archive: Path) -> None:
    words = ("archive:label=false-reject", "--version", "3", "--against", "2")
    done = evaluate(plant_with_archive, *words)
    assert done.returncode == 0, done.stderr
    first, new, old, count, head, *rows = done.stdout.splitlines()
    assert first == f"{GOOD} parts: {GOOD} good, 0 defective, 0 without a truth"
    assert new.startswith("version 3: ")
    assert old.startswith("version 2: ")
    assert int(count.split()[0]) == len(rows) > 0
    assert head.split() == ["key", "truth", "label", "version", "3", "version", "2"]
    key, truth, label, verdict, score, other, same = rows[0].split()
    assert (truth, label, verdict, other) == ("good", "false-reject", "NG", "OK")
    assert score == same
    assert key.startswith("1-")


def test_two_versions_are_compared_on_a_folder_as_on_an_archive(plant_with_archive: Path) -> None:
    words = ("--version", "3", "--against", "2", "--json")
    folder = json.loads(evaluate(plant_with_archive, "images", *words).stdout)
    asked = json.loads(evaluate(plant_with_archive, "archive:", *words).stdout)
    assert folder["good"] > GOOD
    assert folder["parts"] == folder["good"] + folder["defective"]
    scores = {row["judged"]["score"] for row in folder["differences"]}
    assert {row["judged"]["score"] for row in asked["differences"]} <= scores


def test_parts_of_an_archive_that_a_version_was_trained_with_are_told(
    plant_with_archive: Path, tmp_path: Path
) -> None:
    shutil.copytree(plant_with_archive / "products", tmp_path / "products", symlinks=True)
    shutil.copytree(plant_with_archive / "archive", tmp_path / "archive")
    version = tmp_path / "products/lid/3"
    files = [plant_with_archive / f"images/good/part_{n:03d}.png" for n in range(4)]
    seen = [{"sha256": digest(file), "path": "x", "split": "train"} for file in files]
    (version / "sources.json").write_text(json.dumps({"images": seen}))
    manifest = json.loads((version / MANIFEST).read_text())
    manifest["files"]["sources.json"] = digest(version / "sources.json")
    (version / MANIFEST).write_text(json.dumps(manifest))
    told = f"version 3 was trained with 4 of {GOOD + BAD} pictures"
    assert told in evaluate(tmp_path, "archive:", "--version", "3").stderr
    both = evaluate(tmp_path, "archive:label=false-reject", "--version", "2", "--against", "3")
    assert f"version 3 was trained with 4 of {GOOD} pictures" in both.stderr
    assert "version 2 was trained" not in both.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("archive:label=unsure",), "gives no picture that can be used (left out: 2 labelled unsu"),
        (("archive:label=false-reject",), f"all {GOOD} images are good: both kinds are needed"),
        (("archive:", "--version", "3", "--against", "3"), "is the version itself"),
        (("archive:", "--against", "1"), "version 1 is not calibrated"),
        (("archive:", "--against", "9"), "has no version '9'"),
        (("archive:kind",), "'kind' is not NAME=VALUE"),
    ],
)
def test_what_an_archive_cannot_measure_is_one_line(
    plant_with_archive: Path, words: tuple[str, ...], says: str
) -> None:
    done = evaluate(plant_with_archive, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    (last,) = [line for line in done.stderr.splitlines() if line.startswith("draem: ")]
    assert says in last
