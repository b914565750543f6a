"""The folders of a data set: MVTec AD's, DAGM 2007's, or a plain folder of good images.

MVTec   train/good/, test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png
DAGM    ClassN/{Train,Test}/*.PNG; an image with a Label/<name>_label.PNG is defective
plain   good images, also in subfolders
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.image_files import find_images, read_images

LABELS = "Label"


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled image; `defect` is its kind, None for a good one.

    `truth` is its mask [H, W] at the image's own size, None where a defect has no mask or an empty
    one.
    """

    path: Path
    image: NDArray[np.uint8]
    defect: str | None
    truth: NDArray[np.bool_] | None


def good_images(root: Path) -> list[Path]:
    """The images to train on. Raises ImageError where there are none."""
    if (root / "train" / "good").is_dir():
        return find_images(root / "train" / "good")
    for folder in (root / "Train", root):
        if (folder / LABELS).is_dir() and folder.name != "Test":
            return [path for path in _images_of(folder) if not _label(path).is_file()]
    if list(root.glob(f"Class*/Train/{LABELS}")):
        raise ImageError(f"{root} holds several classes: name one of them, as {root / 'Class1'}")
    _check_no_defects(root)
    return find_images(root)


def _check_no_defects(root: Path) -> None:
    """Raise ImageError for a folder that holds images of defects too."""
    folders = {path.name for path in root.rglob("*") if path.is_dir()}
    beside = [p.name for p in root.iterdir() if p.is_dir()] if root.is_dir() else []
    if {"ground_truth", "test", "Test", LABELS} & folders or ("good" in beside and len(beside) > 1):
        raise ImageError(
            f"{root} holds more than good images: name the folder of the good ones, "
            "or one data set that has train/good"
        )


def is_dagm(root: Path) -> bool:
    """Whether a folder is a class of DAGM 2007."""
    return (root / "Test" / LABELS).is_dir()


def samples(root: Path, bit_depth: int | None = None) -> Iterator[Sample]:
    """The labelled test images. Raises ImageError for another layout."""
    if is_dagm(root):
        yield from _dagm(root / "Test", bit_depth)
        return
    test = root / "test" if (root / "test").is_dir() else root
    if not (test / "good").is_dir():
        raise ImageError(
            f"{root} has neither test/good (MVTec's layout) nor Test/{LABELS} (DAGM's): "
            "name a folder that has one"
        )
    for path, image in read_images(test, bit_depth=bit_depth):
        kind = path.relative_to(test).parts[0]
        mask = test.parent / "ground_truth" / kind / f"{path.stem}_mask.png"
        yield _sample(path, image, None if kind == "good" else kind, mask)


def _dagm(folder: Path, bit_depth: int | None) -> Iterator[Sample]:
    for path, image in read_images(*_images_of(folder), bit_depth=bit_depth):
        label = _label(path)
        yield _sample(path, image, "defect" if label.is_file() else None, label)


def _sample(path: Path, image: NDArray[np.uint8], defect: str | None, mask: Path) -> Sample:
    if defect is None:
        return Sample(path, image, None, np.zeros(image.shape[:2], np.bool_))
    truth = _read_mask(mask, image.shape[:2]) if mask.is_file() else None
    return Sample(path, image, defect, truth if truth is not None and truth.any() else None)


def _read_mask(path: Path, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Raises ImageError for a file that cannot be the mask of its image."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ImageError(f"{path} cannot be read as a mask: restore it, or delete it")
    if mask.shape != size:
        raise ImageError(
            f"{path} is {mask.shape[1]}x{mask.shape[0]}, but its image {size[1]}x{size[0]}: a mask "
            "has its image's size"
        )
    return mask > 0


def _images_of(folder: Path) -> list[Path]:
    """DAGM's images: those directly in the folder, without the masks in its subfolder."""
    return [path for path in find_images(folder) if path.parent == folder]


def _label(path: Path) -> Path:
    """The path of DAGM's mask of an image; a good image has none."""
    return path.parent / LABELS / f"{path.stem}_label{path.suffix}"


def count_samples(root: Path) -> int:
    """How many test images `samples` would read, for a progress bar."""
    if is_dagm(root):
        return len(_images_of(root / "Test"))
    return len(find_images(root / "test" if (root / "test").is_dir() else root))
