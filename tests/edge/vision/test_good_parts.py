"""Which images of a folder are good parts: siblings, labels, public data sets, system files."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.folder_names import Meaning, meaning
from edge.vision.good_parts import bad_images, good_images
from edge.vision.image_files import find_images
from tests.support.data_sets import make_set, write_mask, write_picture


def names(root: Path, paths: list[Path]) -> list[str]:
    return [str(path.relative_to(root)) for path in paths]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("OK", "NG"), ("ok", "nok"), ("Good", "Bad"), ("GOOD", "not_good"), ("normal", "abnormal"),
        ("Normal", "Anomaly"), ("pass", "fail"), ("PASSED", "Failed_2024"), ("i.O.", "n.i.O."),
        ("iO", "NiO"), ("gut", "schlecht"), ("01_OK", "02_NG"), ("OkParts", "NgParts"),
        ("accepted", "rejected"), ("no_defect", "defect"), ("defect-free", "defective"),
        ("MT_Free", "broken"), ("良品", "不良品"), ("ok", "KO"), ("false-reject", "missed"),
        ("OKs", "NGs"), ("acceptable", "unacceptable"), ("buoni", "scarti"), ("buenos", "malos"),
    ],
)  # fmt: skip
def test_defects_beside_good_parts_are_not_learned_as_good(
    good: str, bad: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, f"picture {good}/1.png", f"picture {good}/2.png", f"picture {bad}/1.png")
    with caplog.at_level(logging.INFO):
        assert names(tmp_path, good_images(tmp_path)) == [f"{good}/1.png", f"{good}/2.png"]
    assert "2 good images" in caplog.text
    assert "1 of defects" in caplog.text
    with pytest.raises(ImageError, match="named as a folder of defects"):
        good_images(tmp_path / bad)
    with pytest.raises(ImageError, match="good part"):
        bad_images(tmp_path)
    assert len(bad_images(tmp_path / bad)) == 1


@pytest.mark.parametrize(
    ("wanted", "entries"),
    [
        (["normal/1.png"],
         ["picture normal/1.png", "picture abnormal/1.png", "mask mask/1.png"]),
        (["Part1.jpg"],  # KolektorSDD
         ["picture Part1.jpg", "empty Part1_label.bmp", "picture Part2.jpg",
          "mask Part2_label.bmp"]),
        (["kos01/Part0.jpg"],
         ["picture kos01/Part0.jpg", "empty kos01/Part0_LABEL.BMP", "picture kos02/Part0.jpg",
          "mask kos02/Part0_label.bmp"]),
        (["train/1.png"],  # KolektorSDD2
         ["picture train/1.png", "empty train/1_GT.png", "picture train/2.png",
          "mask train/2_GT.png", "picture test/3.png", "empty test/3_GT.png"]),
        (["train/1 (copy).png"],
         ["picture train/1 (copy).png", "empty train/1_GT (copy).png", "picture train/2.png",
          "mask train/2_GT.png"]),
        (["Train/1.PNG"],  # DAGM 2007
         ["picture Train/1.PNG", "picture Train/2.PNG", "mask Train/Label/2_label.PNG",
          "picture Test/1.PNG"]),
        (["TRAIN/1.png"],
         ["picture TRAIN/1.png", "picture TRAIN/2.png", "mask TRAIN/label/2_LABEL.PNG"]),
        (["Data/Images/Normal/1.JPG"],  # VisA
         ["picture Data/Images/Normal/1.JPG", "picture Data/Images/Anomaly/1.JPG",
          "mask Data/Masks/Anomaly/1.png"]),
        (["train/ok/1.bmp"],  # BTAD
         ["picture train/ok/1.bmp", "picture test/ok/1.bmp", "picture test/ko/1.bmp",
          "mask ground_truth/ko/1.png"]),
        (["TRAIN/GOOD/1.PNG"],  # MVTec AD in capitals
         ["picture TRAIN/GOOD/1.PNG", "picture TEST/CUT/1.PNG",
          "mask GROUND_TRUTH/CUT/1_MASK.PNG"]),
        (["train/good/1.png"],  # MVTec AD 2
         ["picture train/good/1.png", "picture validation/good/2.png",
          "picture test_public/bad/3.png", "mask test_public/ground_truth/bad/3_mask.png",
          "picture test_private/4.png"]),
        (["train/OK/1.png"],
         ["picture train/OK/1.png", "picture train/NG/2.png", "picture val/NG/3.png"]),
        (["MT_Free/Imgs/1.jpg"],  # MTD: a mask of the same name
         ["picture MT_Free/Imgs/1.jpg", "empty MT_Free/Imgs/1.png"]),
        (["images/2.png"],
         ["picture images/1.png", "mask masks/1.png", "picture images/2.png",
          "empty masks/2.png"]),
        (["OK/1.png"], ["picture OK/1.png", "picture NG/1.png", "picture sheet.jpg"]),
        (["good/2.png"], ["picture good/1.png", "mask good/1_mask.png", "picture good/2.png"]),
        (["good_1.png"], ["picture good_1.png", "picture bad_2.png", "picture NG3.png"]),
        (["NG7_1.png", "NG7_2.png"], ["picture NG7_1.png", "picture NG7_2.png"]),  # a number
        (["line1/1.png", "line2/2.png"], ["picture line1/1.png", "picture line2/2.png"]),
        (["label_red/1.png"], ["picture label_red/1.png"]),  # the parts are labels
        (["day1/OK/1.png", "day2/OK/2.png"], ["picture day1/OK/1.png", "picture day2/OK/2.png"]),
    ],
)  # fmt: skip
def test_what_is_certainly_good_is_taken_and_nothing_else(
    wanted: list[str], entries: list[str], tmp_path: Path
) -> None:
    assert names(tmp_path, good_images(make_set(tmp_path, *entries))) == wanted


@pytest.mark.parametrize(
    ("says", "entries"),
    [
        ("positive|negative", ["picture positive/1.png", "picture negative/1.png"]),
        ("does not say", ["picture ok_and_ng/1.png"]),
        ("folder of good ones, .*/good$", ["picture good/1.png", "picture scratch/2.png"]),
        ("no name calls good", ["picture 1.png", "picture NG/2.png"]),
        ("no name calls good", ["picture Class1/1.png", "picture Class1_def/2.png"]),
        ("no name calls good", ["picture 1.png", "picture 2_NG.png"]),
        ("1 have no label", ["picture 1.png", "mask 1_mask.png", "picture 2.png"]),
        ("masks fit no image", ["picture images/1.png", "mask masks/7.png"]),
        ("such as .*/Class1$",
         ["picture Class1/Train/1.PNG", "picture Class2/Train/1.PNG", "picture Class1/Test/1.PNG"]),
        ("such as .*/bottle$", ["picture bottle/train/good/1.png", "picture cable/test/cut/1.png"]),
        ("2 sets of good and other",  # VisA's folder of all products
         ["picture candle/Data/Images/Normal/1.JPG", "picture candle/Data/Images/Anomaly/1.JPG",
          "picture pcb1/Data/Images/Normal/1.JPG", "picture pcb1/Data/Images/Anomaly/1.JPG"]),
        ("MT_Free$",
         ["picture MT_Free/Imgs/1.jpg", "empty MT_Free/Imgs/1.png",
          "picture MT_Uneven/Imgs/2.jpg", "empty MT_Uneven/Imgs/2.png"]),
        ("more than good images", ["picture test/1.png"]),
        ("one name but show different", ["picture 1.png", "picture 1.tif"]),
        ("defects only", ["picture NG/1.png"]),
        ("defects only", ["picture 1.png", "mask 1_mask.png"]),
    ],
)  # fmt: skip
def test_what_may_hold_defects_is_refused_in_one_line(
    says: str, entries: list[str], tmp_path: Path
) -> None:
    root = make_set(tmp_path / "parts", *entries)
    with pytest.raises(ImageError, match=says) as told:
        good_images(root)
    assert "\n" not in str(told.value)


def test_a_link_to_defects_is_no_folder_of_good_parts(tmp_path: Path) -> None:
    make_set(tmp_path, "picture NG/1.png", "picture OK/1.png", "picture set/plain/1.png")
    (tmp_path / "good").symlink_to(tmp_path / "NG")
    with pytest.raises(ImageError, match="named as a folder of defects"):
        good_images(tmp_path / "good")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "NG")
    with pytest.raises(ImageError, match="no name calls good"):
        good_images(tmp_path / "set")
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("OK", "NG"):
        (linked / name).symlink_to(tmp_path / name)
    assert names(linked, good_images(linked)) == ["OK/1.png"]


def test_labels_beside_the_named_folder_count_too(tmp_path: Path) -> None:
    make_set(tmp_path, "picture images/1.png", "picture images/2.png", "mask masks/1.png",
             "empty masks/2.png", "mask masks/other/3.png")  # fmt: skip
    assert names(tmp_path, good_images(tmp_path / "images")) == ["images/2.png"]
    with pytest.raises(ImageError, match="good part"):
        bad_images(tmp_path / "images")


def test_labels_of_another_tree_beside_the_images_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YOLO's layout: images/train and labels/train."""
    make_set(tmp_path, "picture images/train/1.jpg", "picture images/train/2.jpg",
             "picture images/val/3.jpg", "text labels/train/1.txt", "text labels/train/2.txt",
             "mask labels/1.png")  # fmt: skip
    (tmp_path / "labels/train/1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "labels/train/2.txt").write_text("")
    for place in (tmp_path / "images", tmp_path / "images/train"):
        assert names(tmp_path, good_images(place)) == ["images/train/2.jpg"]
    monkeypatch.chdir(tmp_path / "images/train")
    assert good_images(Path()) == [Path("2.jpg")]
    assert good_images(Path("../train")) == [Path("../train/2.jpg")]


def test_a_label_among_named_files_is_refused(tmp_path: Path) -> None:
    make_set(tmp_path, "picture 1.png", "mask 1_label.png", "picture 2.png")
    files = sorted(tmp_path.iterdir())
    for select in (good_images, bad_images):
        with pytest.raises(ImageError, match=r"1_label\.png is a label of 1\.png"):
            select(*files)
    assert good_images(files[0], files[2]) == [files[0], files[2]]
    make_set(tmp_path, "picture NG/1.png")
    with pytest.raises(ImageError, match="NG is named as a folder of bad parts"):
        good_images(tmp_path / "NG" / "1.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("1.json", json.dumps({"shapes": [{"label": "Kratzer groß"}]}, ensure_ascii=False)),
        ("1.xml", "<annotation><object ><name>größer</name></object></annotation>"),
        ("1.txt", "0 0.5 0.5 0.1 1.000001\n"),
        ("labels/1.txt", "1 0.2 0.5 0.1 0.1\n"),
    ],
)
def test_annotation_files_mark_defects_too(name: str, text: str, tmp_path: Path) -> None:
    make_set(tmp_path, "picture 1.png")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        (tmp_path / name).write_text(text, encoding=encoding)
        with pytest.raises(ImageError, match="defects only"):
            good_images(tmp_path)


def test_files_about_a_picture_are_no_label(tmp_path: Path) -> None:
    make_set(tmp_path, "picture 1.png", "picture 2.png")
    (tmp_path / "1.json").write_text('{"exposure_us": 200}')
    (tmp_path / "2.txt").write_text("press 4, shift 2\n")
    (tmp_path / "frames.jsonl").write_text("{}\n")
    assert len(good_images(tmp_path)) == 2


def test_one_picture_in_two_formats_is_no_label(tmp_path: Path) -> None:
    image = write_picture(tmp_path / "1.png")
    cv2.imwrite(str(tmp_path / "1.jpg"), image)
    assert len(good_images(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("io_board", None), ("normal_light", None), ("good_no_1", Meaning.GOOD),
        ("no_good", Meaning.BAD), ("", None), ("42", None), ("NGparts", Meaning.BAD),
        ("goodimages", Meaning.GOOD), ("scratch_free", Meaning.GOOD),
         ("line1", None), ("kos01", None), ("scratch", None), ("Class1", None),
        ("trained", None), ("testbench", None), ("good", Meaning.GOOD), ("train", Meaning.TRAIN),
        ("test_public", Meaning.TEST), ("GroundTruth", Meaning.MASK), ("pos", Meaning.UNCERTAIN),
    ],
)  # fmt: skip
def test_names_that_say_something(name: str, expected: Meaning | None) -> None:
    assert meaning(name) is expected


def test_folders_of_which_no_name_says_anything_are_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path / "parts", "picture crack/1.png", "picture no_crack/1.png")
    assert len(good_images(tmp_path / "parts")) == 2
    assert "all 2 of 2 folders (parts/crack, parts/no_crack) are taken as good" in caplog.text
    caplog.clear()
    assert len(good_images(tmp_path / "parts/crack")) == 1
    assert not caplog.text


@pytest.mark.parametrize("find", [find_images, good_images])
def test_pictures_of_formats_that_are_not_read_are_named(
    find: Callable[[Path], list[Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path, "picture a.png", "text b.webp", "text c.JFIF", "text notes.md")
    assert names(tmp_path, find(tmp_path)) == ["a.png"]
    assert "2 pictures are left out, since their format is not read (b.webp, c.JFIF)" in caplog.text


def test_system_and_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    make_set(
        tmp_path, "picture a.png", "text ._a.png", "picture .ipynb_checkpoints/a-checkpoint.png",
        "picture @eaDir/a.png/SYNOPHOTO_THUMB_M.jpg", "picture __MACOSX/a.png", "text ~a.png",
        "picture $RECYCLE.BIN/b.png", "picture lost+found/c.png", "text a.png~", "text Thumbs.db",
        "picture @tmp/d.png", "picture @SynoResource/e.png", "picture Temporary Items/f.png",
    )  # fmt: skip
    assert names(tmp_path, find_images(tmp_path)) == ["a.png"]
    assert find_images(tmp_path / "._a.png") == [tmp_path / "._a.png"], "where it is named itself"


def test_linked_folders_are_followed_without_loops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_set(tmp_path / "parts", "picture a.png", "picture deep/b.png")
    make_set(tmp_path / "disk", "picture c.png")
    (root / "linked").symlink_to(tmp_path / "disk")
    (root / "deep" / "loop").symlink_to(root)
    (root / "up").symlink_to("/")
    (root / "gone.png").symlink_to(tmp_path / "nothing.png")
    (root / "one.png").symlink_to(root / "other.png")
    (root / "other.png").symlink_to(root / "one.png")
    (tmp_path / "disk" / "back").symlink_to(root / "deep")
    (root / "deep" / "there").symlink_to(tmp_path / "disk")
    assert {path.name for path in find_images(root)} == {"a.png", "b.png", "c.png"}
    for left_out in ("loop", "up", "gone.png", "one.png", "other.png"):
        assert f"{root / 'deep' if left_out == 'loop' else root}/{left_out}" in caplog.text


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = make_set(tmp_path / "parts", "picture a.png", "picture closed/b.png")
    (root / "closed").chmod(0)
    with pytest.raises(ImageError, match="closed cannot be read"):
        find_images(root)
    (root / "closed").chmod(0o700)


def test_a_mask_of_any_kind_marks_its_defect(tmp_path: Path) -> None:
    """Value 1 in 8 and 16 bits, alpha, palette and colour, by whatever name."""
    marked = np.zeros((40, 48), np.uint8)
    marked[5:10, 5:10] = 1
    zero = marked * 0
    masks: list[NDArray[np.uint8] | NDArray[np.uint16]] = [
        marked,
        marked.astype(np.uint16),
        np.dstack([zero, zero, zero, marked * 255]),  # in alpha
        np.dstack([marked * 9, zero, zero, zero + 255]),  # in colour, with an alpha that is full
        np.dstack([zero, zero, marked]),
    ]
    for i, mask in enumerate(masks):
        write_picture(tmp_path / f"{i}.bmp")
        write_mask(tmp_path / f"{i}_mask.png", mask)
    write_picture(tmp_path / "good.bmp")
    write_mask(tmp_path / "good_mask.png", marked * 0)
    assert names(tmp_path, good_images(tmp_path)) == ["good.bmp"]
