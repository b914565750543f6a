"""Data sets: MVTec's folders, DAGM's beside-lying labels, plain folders; what is good in each."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.fit import Fit
from edge.vision.good_parts import good_images
from tests.conftest import Plant, write_parts
from tests.measure.real_data import DATA
from tests.support.commands import draem_in_process
from tests.support.data_sets import SHAPE, make_set, write_mask, write_picture
from trainer.data.layout import find_labelled, samples
from trainer.data.sources import load_sources


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
    assert len(find_labelled(root).kinds) == len(found) == 5
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
    assert len(find_labelled(tmp_path).kinds) == 4


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


MARKED = np.zeros(SHAPE, np.uint8)
MARKED[5:10, 5:10] = 1
NONE = MARKED * 0


def measured_on(root: Path) -> dict[str, tuple[str | None, bool]]:
    """Kind and whether there is a mask, of each image."""
    return {
        str(sample.path.relative_to(root)): (sample.defect, sample.truth is not None)
        for sample in samples(root)
    }


@pytest.mark.parametrize(
    "name", ["0.png", "0_mask.jpg", "0_mask.PNG", "0_MASK.png", "0_label.bmp", "0_GT.png",
             "0-mask.tif", "0_mask.jpeg", "mask_0.png", "0_segmentation.png"],
)  # fmt: skip
def test_a_mask_is_found_by_the_stem_of_its_image(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.bmp",
             f"mask ground_truth/cut/{name}")  # fmt: skip
    assert measured_on(tmp_path)["test/cut/0.bmp"] == ("cut", True)
    assert not caplog.text


@pytest.mark.parametrize(
    "mask",
    [
        MARKED, MARKED.astype(np.uint16), MARKED.astype(np.uint16) * 1000,
        np.dstack([NONE, NONE, NONE, MARKED * 255]),  # black, marked by alpha
        np.dstack([MARKED * 0 + 200] * 3 + [MARKED]),
        np.dstack([NONE, NONE, MARKED * 80]), np.dstack([MARKED, NONE, NONE, NONE + 255]),
        np.dstack([NONE, MARKED, NONE]).astype(np.uint16),
    ],
)  # fmt: skip
def test_a_mask_is_read_at_full_depth(
    mask: NDArray[np.uint8] | NDArray[np.uint16], tmp_path: Path
) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.png",
             "picture ground_truth/cut/0.png")  # fmt: skip
    write_mask(tmp_path / "ground_truth/cut/0.png", mask)
    (truth,) = [sample.truth for sample in samples(tmp_path) if sample.defect]
    assert truth is not None
    assert (truth == (MARKED > 0)).all()


def test_noise_of_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.png")
    (tmp_path / "ground_truth/cut").mkdir(parents=True)
    write_mask(tmp_path / "ground_truth/cut/0.jpg", MARKED * 255)
    (truth,) = [sample.truth for sample in samples(tmp_path) if sample.defect]
    assert truth is not None
    assert 20 <= truth.sum() <= 40, "of 25 pixels"


def test_masks_that_are_empty_or_of_no_image_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.png",
             "picture test/cut/1.png", "empty ground_truth/cut/0_mask.png",
             "mask ground_truth/cut/7_mask.png", "mask ground_truth/cut/8_mask.png")  # fmt: skip
    assert measured_on(tmp_path)["test/cut/0.png"] == ("cut", False)
    assert "2 masks fit no image" in caplog.text
    assert "7_mask.png" in caplog.text
    assert "0_mask.png is empty" in caplog.text


def test_a_mask_that_is_white_where_the_part_is_good_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.png",
             "picture test/cut/1.png", "mask ground_truth/cut/0_mask.png",
             "text ground_truth/cut/1_mask.gif")  # fmt: skip
    write_mask(tmp_path / "ground_truth/cut/1_mask.png", (1 - MARKED) * 255)
    assert measured_on(tmp_path)["test/cut/0.png"] == ("cut", True)
    assert "1_mask.png is more than half marked" in caplog.text
    assert "0_mask.png" not in caplog.text
    assert "not read (1_mask.gif)" in caplog.text, "a mask that is not read is no missing one"


def test_stray_and_hidden_files_are_no_kind_of_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, "picture test/good/0.png", "picture test/cut/0.png", "text test/._x.png",
             "picture test/overview.png", "picture test/.ipynb_checkpoints/0-checkpoint.png",
             "picture test/@eaDir/0.png")  # fmt: skip
    assert list(measured_on(tmp_path)) == ["test/cut/0.png", "test/good/0.png"]
    assert len(find_labelled(tmp_path).kinds) == 2
    assert "overview.png" in caplog.text
    assert "._x" not in caplog.text


@pytest.mark.parametrize(
    ("expected", "entries"),
    [
        ({"OK/1.png": (None, True), "NG/2.png": ("NG", True)},
         ["picture OK/1.png", "picture NG/2.png", "mask masks/NG/2.png"]),
        ({"test/1.png": (None, True), "test/2.png": ("defect", True)},  # KolektorSDD2
         ["picture test/1.png", "empty test/1_GT.png", "picture test/2.png", "mask test/2_GT.png",
          "picture train/3.png"]),
        ({"test/ok/1.bmp": (None, True), "test/ko/2.bmp": ("ko", True)},  # BTAD
         ["picture test/ok/1.bmp", "picture test/ko/2.bmp", "mask ground_truth/ko/2.png",
          "picture train/ok/3.bmp"]),
        ({"test_public/good/1.png": (None, True), "test_public/bad/2.png": ("bad", True)},
         ["picture test_public/good/1.png", "picture test_public/bad/2.png",
          "mask test_public/ground_truth/bad/2_mask.png", "picture test_private/3.png"]),
        ({"Data/Images/Normal/1.JPG": (None, True), "Data/Images/Anomaly/1.JPG": ("Anomaly", True)},
         ["picture Data/Images/Normal/1.JPG", "picture Data/Images/Anomaly/1.JPG",
          "mask Data/Masks/Anomaly/1.png"]),
        ({"MT_Free/Imgs/1.jpg": (None, True), "MT_Break/Imgs/2.jpg": ("MT_Break", True)},
         ["picture MT_Free/Imgs/1.jpg", "empty MT_Free/Imgs/1.png", "picture MT_Break/Imgs/2.jpg",
          "mask MT_Break/Imgs/2.png"]),
        ({"test/good/1.png": (None, True), "test/logical/2.png": ("logical", True)},  # LOCO
         ["picture test/good/1.png", "picture test/logical/2.png",
          "mask ground_truth/logical/2/000.png", "mask ground_truth/logical/2/001.png"]),
    ],
)  # fmt: skip
def test_public_sets_are_measured_as_they_are(
    expected: dict[str, tuple[str | None, bool]], entries: list[str], tmp_path: Path
) -> None:
    assert measured_on(make_set(tmp_path, *entries)) == expected


def test_masks_beside_the_named_folder_are_found(tmp_path: Path) -> None:
    make_set(tmp_path, "picture images/good/1.png", "picture images/bad/1.png",
             "mask masks/bad/1.png")  # fmt: skip
    assert measured_on(tmp_path / "images") == {
        "good/1.png": (None, True),
        "bad/1.png": ("bad", True),
    }


@pytest.mark.parametrize(
    ("says", "entries"),
    [
        ("no folder or label says", ["picture a/1.png"]),
        ("does not say", ["picture good/1.png", "picture positive/1.png"]),
        ("2 sets", ["picture a/test/good/1.png", "picture b/test/good/1.png"]),
        ("1 images have no label", ["picture 1.png", "empty 1_GT.png", "picture 2.png"]),
        ("several test sets", ["picture test1/1.png", "picture test2/1.png"]),
    ],
)
def test_what_is_not_certain_is_not_measured(says: str, entries: list[str], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=says):
        list(samples(make_set(tmp_path, *entries)))


def test_training_takes_no_defects_from_the_folder_beside(tmp_path: Path) -> None:
    """By the command: what was left out is said, and no defect is in the product's record."""
    write_parts(tmp_path / "parts/OK", 14, seed=1)
    write_parts(tmp_path / "parts/NG", 3, seed=2, defective=True)
    words = ("--product", "lid", "--input", "32", "--widths", "4/4", "--steps", "2")
    done = draem_in_process("train", "parts", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "14 good images; left out: 3 of defects (parts/NG)" in done.stderr
    listed = json.loads((tmp_path / "products/lid/1/sources.json").read_text())["images"]
    assert len(listed) == 14
    assert not any("NG" in row["path"] for row in listed)


def test_calibration_takes_no_defects_for_good_parts(calibrated: Plant, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts/scratched", 3, seed=2, defective=True)
    write_parts(tmp_path / "parts/good", 3, seed=1)
    words = ("--product", "lid", "--images", str(tmp_path / "parts"))
    done = draem_in_process("calibrate", *words, cwd=calibrated.root)
    assert done.returncode == 2
    assert "name the folder of good ones" in done.stderr


def test_images_of_several_sizes_are_told_with_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where only the orientation that a phone wrote (EXIF) differs."""
    for i in range(12):
        image = write_picture(tmp_path / f"{i}.jpg")
        if i < 2:
            write_mask(tmp_path / f"{i}.jpg", np.ascontiguousarray(image[::2]).repeat(4, axis=0))
    data = (tmp_path / "5.jpg").read_bytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    size = (len(exif) + 2).to_bytes(2, "big")
    (tmp_path / "5.jpg").write_bytes(data[:2] + b"\xff\xe1" + size + exif + data[2:])
    load_sources(tmp_path, Fit(32, 32), 0)
    assert "9 of 48x40, 2 of 48x80, 1 of 40x48" in caplog.text


def test_evaluate_and_calibrate_tell_of_several_sizes(calibrated: Plant, tmp_path: Path) -> None:
    write_parts(tmp_path / "set/test/good", 6, seed=1)
    for path in write_parts(tmp_path / "set/test/bad", 2, seed=2, defective=True):
        write_mask(path, np.full((320, 240, 3), 90, np.uint8))
    words = ("evaluate", str(tmp_path / "set"), "--product", "lid")
    assert "6 of 320x240, 2 of 240x320" in draem_in_process(*words, cwd=calibrated.root).stderr
    shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    write_mask(tmp_path / "set/test/good/part_000.png", np.full((320, 240, 3), 90, np.uint8))
    done = draem_in_process("calibrate", "--product", "lid", "--images", "set/test/good",
                            cwd=tmp_path)  # fmt: skip
    assert "5 of 320x240, 1 of 240x320" in done.stderr


@pytest.mark.parametrize(
    ("name", "train", "good", "bad"),
    [
        ("mvtec_bottle", 209, 20, 63), ("tire", 210, 25, 87), ("paper", 369, 188, 576),
        ("pipe_staple", 191, 188, 117), ("mtd", 699, 253, 392), ("ksdd", 230, 103, 50),
    ],
)  # fmt: skip
def test_real_sets_are_read_as_their_readme_says(
    name: str, train: int, good: int, bad: int
) -> None:
    root = DATA / name
    if not root.is_dir():
        pytest.skip(f"no {name} in {DATA}")
    assert len(good_images(root)) == train
    found = find_labelled(root)
    kinds = list(found.kinds.values())
    assert (kinds.count(None), len(kinds) - kinds.count(None)) == (good, bad)
    assert all(found.masks[path] for path, kind in found.kinds.items() if kind)
    assert not found.notes
