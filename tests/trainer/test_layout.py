"""Data sets: MVTec's folders, DAGM's beside-lying labels, plain folders; what is good in each."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.base.errors import ImageError
from tests.conftest import Plant, write_parts
from tests.support.commands import draem_in_process
from trainer.data.layout import count_samples, good_images, samples


def dagm(root: Path) -> Path:
    """A made-up class of DAGM 2007: three good and two defective images in each half."""
    for half in ("Train", "Test"):
        (root / half / "Label").mkdir(parents=True)
        for i in range(1, 6):
            cv2.imwrite(str(root / half / f"{i:04d}.PNG"), np.full((64, 64), 40 * i, np.uint8))
        for i in (2, 5):
            ellipse = np.zeros((64, 64), np.uint8)
            cv2.ellipse(ellipse, (32, 20), (14, 6), 30, 0, 360, (255,), -1)
            cv2.imwrite(str(root / half / "Label" / f"{i:04d}_label.PNG"), ellipse)
        (root / half / "Label" / "Labels.txt").write_text("1\n")
    return root


def test_dagm_trains_on_what_has_no_label(tmp_path: Path) -> None:
    root = dagm(tmp_path / "Class1")
    names = [path.name for path in good_images(root)]
    assert names == ["0001.PNG", "0003.PNG", "0004.PNG"]
    assert [p.name for p in good_images(root / "Train")] == names
    with pytest.raises(ImageError, match="Class1"):
        good_images(tmp_path)


def test_dagm_is_measured_on_its_test_half(tmp_path: Path) -> None:
    root = dagm(tmp_path / "Class1")
    found = list(samples(root))
    assert count_samples(root) == len(found) == 5
    assert [s.defect for s in found] == [None, "defect", None, None, "defect"]
    assert all(s.truth is not None for s in found)
    assert [bool(s.truth.any()) for s in found if s.truth is not None] == [
        False, True, False, False, True,
    ]  # fmt: skip


def test_a_set_in_mvtec_layout_trains_on_its_good_half_alone(tmp_path: Path) -> None:
    write_parts(tmp_path / "train/good", 3, seed=1)
    write_parts(tmp_path / "test/scratch", 2, seed=2, defective=True)
    write_parts(tmp_path / "test/good", 2, seed=3)
    assert {path.parent.name for path in good_images(tmp_path)} == {"good"}
    assert len(good_images(tmp_path)) == 3
    assert len(good_images(tmp_path / "train/good")) == 3
    assert count_samples(tmp_path) == 4


def test_images_of_defects_are_not_taken_for_good_ones(tmp_path: Path) -> None:
    """A root of several data sets, or the test half of one."""
    write_parts(tmp_path / "sets/bottle/train/good", 2, seed=1)
    write_parts(tmp_path / "sets/bottle/test/good", 2, seed=2)
    write_parts(tmp_path / "sets/bottle/test/chip", 2, seed=3, defective=True)
    dagm(tmp_path / "Class1")
    for root in (tmp_path / "sets", tmp_path / "sets/bottle/test", tmp_path / "Class1/Test"):
        with pytest.raises(ImageError, match="more than good images"):
            good_images(root)


def test_an_empty_mask_is_no_truth(tmp_path: Path) -> None:
    write_parts(tmp_path / "test/good", 1, seed=1)
    (path,) = write_parts(tmp_path / "test/uneven", 1, seed=2, defective=True)
    truth = tmp_path / "ground_truth/uneven" / f"{path.stem}_mask.png"
    truth.parent.mkdir(parents=True)
    cv2.imwrite(str(truth), np.zeros((240, 320), np.uint8))
    kinds = {s.defect: s.truth for s in samples(tmp_path)}
    assert kinds["uneven"] is None
    assert kinds[None] is not None


@pytest.mark.parametrize("size", [(200, 320), None])
def test_a_mask_that_is_none_of_its_image_is_told(
    size: tuple[int, int] | None, tmp_path: Path
) -> None:
    write_parts(tmp_path / "test/good", 1, seed=1)
    (path,) = write_parts(tmp_path / "test/chip", 1, seed=2, defective=True)
    truth = tmp_path / "ground_truth/chip" / f"{path.stem}_mask.png"
    truth.parent.mkdir(parents=True)
    truth.write_bytes(b"torn")
    if size:
        cv2.imwrite(str(truth), np.full(size, 255, np.uint8))
    with pytest.raises(ImageError, match="320x200" if size else "cannot be read"):
        list(samples(tmp_path))


def test_dagm_is_evaluated_with_rates(calibrated: Plant, tmp_path: Path) -> None:
    """The network has never seen such images: the figures need not be good to be there."""
    root = dagm(tmp_path / "Class1")
    done = draem_in_process("evaluate", str(root), "--product", "lid", cwd=calibrated.root)
    assert done.returncode == 0, done.stderr
    for word in ("5 images, 2 of them defective", "TPR", "TNR", "accuracy", "AUPRO"):
        assert word in done.stdout


def test_training_on_dagm_leaves_its_defects_out(tmp_path: Path) -> None:
    root = dagm(tmp_path / "Class1")
    for i in range(10, 26):
        cv2.imwrite(str(root / f"Train/{i:04d}.PNG"), np.full((64, 64), 5 * i, np.uint8))
    words = ("--product", "dagm", "--input", "32", "--widths", "4/4", "--steps", "2")
    done = draem_in_process("train", str(root), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = json.loads((tmp_path / "products/dagm/1/sources.json").read_text())["images"]
    assert len(listed) == 3 + 16
    assert not any("Label" in row["path"] or "0002" in row["path"] for row in listed)
