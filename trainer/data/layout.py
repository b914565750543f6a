"""The labelled images of a data set, in the layouts of public sets or a plain good and bad.

MVTec   test/good/, test/<defect>/, ground_truth/<defect>/<name>_mask.png; so are BTAD (test/ok,
        test/ko), MVTec AD 2 (test_public/), VisA (Data/Images/Normal, Data/Masks) and good/, bad/
labels  images with masks beside them or in a folder inside: DAGM 2007 (Test/Label/), KolektorSDD
        (Part0_label.bmp), KolektorSDD2 (10000_GT.png); an image is good where its mask is empty
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.folder_names import Meaning, meaning, meaning_alone
from edge.vision.image_files import read_images
from edge.vision.image_folders import files_below
from edge.vision.image_kinds import good_without_label
from edge.vision.label_files import is_mask, marks_defect, read_mask
from edge.vision.labels import Labelled, add_labels_beside, check_twins, match_labels

log = logging.getLogger(__name__)

OTHER_HALVES = (Meaning.TRAIN, Meaning.VALIDATION)
MOST_MARKED = 0.5
FIX = (
    "name a folder that has test/good and test/<defect> (MVTec's layout), good and bad, or images "
    "with their masks (DAGM's Test/Label)"
)


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


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with the kind of defect of each, None for good ones; `notes` is what was left out."""

    kinds: dict[Path, str | None]
    masks: dict[Path, list[Path]]
    notes: list[str]


def samples(root: Path, bit_depth: int | None = None) -> Iterator[Sample]:
    """The labelled test images below a folder. Raises ImageError for another layout."""
    yield from read_samples(find_labelled(root), bit_depth)


def read_samples(found: LabelledImages, bit_depth: int | None = None) -> Iterator[Sample]:
    """Each image with its mask; logs what is left out. Raises ImageError for an unusable mask."""
    for note in found.notes:
        log.warning("%s", note)
    empty, large = [], []
    for path, image in read_images(*found.kinds, bit_depth=bit_depth):
        kind, masks = found.kinds[path], found.masks.get(path, [])
        if kind is None:
            yield Sample(path, image, None, np.zeros(image.shape[:2], np.bool_))
            continue
        truth = _truth(masks, image.shape[:2]) if masks else None
        if truth is not None and not truth.any():
            empty += masks
            truth = None
        elif truth is not None and truth.mean() > MOST_MARKED:
            large += masks
        yield Sample(path, image, kind, truth)
    if empty:
        log.warning("%s: such an image counts as a defect without a mask", _named(empty, "empty"))
    if large:
        log.warning(
            "%s: a mask is 0 where the part is good: invert it where it is not",
            _named(large, "more than half marked"),
        )


def find_labelled(root: Path) -> LabelledImages:
    """The labelled images below a folder. Raises ImageError where their labels are not certain."""
    found = _match(root)
    names = {path: found.folders(path) for path in found.images}
    homes = {
        path.parents[len(folders) - 1 - i].parent
        for path, folders in names.items()
        for i, name in enumerate(folders)
        if meaning(name) is Meaning.GOOD
    }
    check_twins(found)
    if len(homes) > 1:
        raise ImageError(
            f"{root} holds {len(homes)} sets of good and other images: name one of them, such as "
            f"{min(homes)}"
        )
    kinds = _by_folder(found, homes.pop()) if homes else _by_label(root, found)
    masks = {path: [m for m in found.labels.get(path, ()) if is_mask(m)] for path in kinds}
    notes = []
    if lost := found.unmatched:
        notes.append(f"{len(lost)} masks fit no image ({_few(lost)})")
    if strays := [path for path in found.images if path not in kinds]:
        notes.append(f"{len(strays)} images left out, in no folder of a kind: {_few(strays)}")
    if wrong := [
        p for p, kind in kinds.items() if kind is None and any(map(marks_defect, masks[p]))
    ]:
        notes.append(
            f"{len(wrong)} images count as good, but a mask marks something: {_few(wrong)}"
        )
    return LabelledImages(kinds, masks, notes)


def _match(root: Path) -> Labelled:
    """The images to measure on, with the labels beside them and in folders of masks."""
    tests = _children(root, Meaning.TEST)
    if len(tests) > 1:  # MVTec AD 2 has halves without labels too
        tests = [test for test in tests if _children(test, Meaning.GOOD)] or tests
    if len(tests) > 1:
        names = ", ".join(test.name for test in tests)
        raise ImageError(f"{root} holds several test sets ({names}): name one of them")
    if meaning_alone(root.name) is Meaning.TEST and not tests:
        root, tests = root.parent, [root]
    if not tests:
        files = [f for f in files_below(root) if not _in_other_half(root, f)]
        found = match_labels(root, files)
        add_labels_beside(found)
        return found
    places = (*tests, *_children(root, Meaning.MASK))
    return match_labels(root, [file for place in places for file in files_below(place)])


def _children(folder: Path, wanted: Meaning) -> list[Path]:
    if not folder.is_dir():
        raise ImageError(f"{folder} is no folder: {FIX}")
    return sorted(p for p in folder.iterdir() if p.is_dir() and meaning(p.name) is wanted)


def _in_other_half(root: Path, file: Path) -> bool:
    return any(meaning(name) in OTHER_HALVES for name in file.relative_to(root).parts[:-1])


def _by_folder(found: Labelled, home: Path) -> dict[Path, str | None]:
    """Each folder in `home` is a kind of defect, or good."""
    kinds: dict[Path, str | None] = {}
    for path in found.images:
        if path.is_relative_to(home) and path.parent != home:
            kind = path.relative_to(home).parts[0]
            if meaning(kind) is Meaning.UNCERTAIN:
                raise ImageError(
                    f"{home / kind}: its name does not say whether its parts are good: rename it"
                )
            kinds[path] = None if meaning(kind) is Meaning.GOOD else kind
    return kinds


def _by_label(root: Path, found: Labelled) -> dict[Path, str | None]:
    """An image is good where its label is empty, or where only defects have one."""
    without = good_without_label(found)
    unclear = [p for p in found.images if p not in found.labels and p.parent not in without]
    if not found.labels:
        raise ImageError(f"{root}: no folder or label says which images are good: {FIX}")
    if unclear:
        raise ImageError(
            f"{root}: {len(unclear)} images have no label ({_few(unclear)}), others have one: add "
            "the missing labels, or leave these images out"
        )
    return {
        path: "defect" if any(map(marks_defect, found.labels.get(path, ()))) else None
        for path in found.images
    }


def _truth(masks: list[Path], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """What any of the masks marks. Raises ImageError for one that cannot be its image's."""
    truth = np.zeros(size, np.bool_)
    for path in masks:
        mask = read_mask(path)
        if mask.shape != size:
            raise ImageError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, but its image {size[1]}x{size[0]}: a "
                "mask has its image's size"
            )
        truth |= mask
    return truth


def _named(masks: list[Path], what: str) -> str:
    """One mask by its name, several by their number with some names."""
    if len(masks) == 1:
        return f"mask {masks[0]} is {what}"
    return f"{len(masks)} masks are {what} ({_few(masks)})"


def _few(paths: list[Path]) -> str:
    return ", ".join(map(str, paths[:3])) + (", ..." if len(paths) > 3 else "")
