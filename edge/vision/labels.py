"""Labels of images: masks and annotation files, matched to images by their stem.

Beside its image:   Part1.jpg with Part1_label.bmp, Part1_mask.png, Part1_GT.png, or Part1.json
                    (labelme), Part1.xml (Pascal VOC), Part1.txt (YOLO)
In a folder:        ground_truth/<kind>/<name>_mask.png, Masks/<kind>/<name>.png,
                    Label/<name>_label.PNG
Of the same name:   Part1.jpg with Part1.png, one of them with a few gray levels only
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.base.errors import ImageError
from edge.vision.folder_names import Meaning, meaning, meaning_alone
from edge.vision.image_files import SUFFIXES
from edge.vision.image_folders import files_below, warn_of_unread
from edge.vision.label_files import TEXTS, decode, is_annotation

_LABEL = r"(?:masks?|labels?|gt|ground_?truth|seg|segmentation|annotation|anno)"
_ENDING = re.compile(rf"(.+?)[ _.-]*{_LABEL}((?: ?\(.+\))?)", re.IGNORECASE)
_BEGINNING = re.compile(rf"{_LABEL}[ _.-]+(.+)()", re.IGNORECASE)
FEW_LEVELS = 16
SAME_PICTURE = 16
"""Mean difference in gray levels below which two files of one name show the same."""


@dataclass(frozen=True)
class Labelled:
    """Images below a folder, the labels of each, and the labels that fit none.

    `twins` are pairs of one name of which it cannot be told whether one is the other's mask.
    """

    root: Path
    images: list[Path]
    labels: dict[Path, list[Path]]
    unmatched: list[Path]
    twins: list[tuple[Path, Path]] = field(default_factory=list)

    def folders(self, path: Path) -> tuple[str, ...]:
        """The names of the folders between the root and a file."""
        return path.relative_to(self.root).parts[:-1]


def match_labels(root: Path, files: Iterable[Path]) -> Labelled:
    """Sort the files below a folder into images and their labels."""
    ordered = sorted(files)
    warn_of_unread(root, ordered)
    pictures = [path for path in ordered if path.suffix.lower() in SUFFIXES]
    found = Labelled(root, [], {}, [])
    in_folders = [path for path in pictures if _mask_folder(found, path) is not None]
    beside = [path for path in pictures if _mask_folder(found, path) is None]
    if not beside:  # parts that are labels or masks themselves
        return Labelled(root, pictures, {}, [])
    texts = [path for path in ordered if path.suffix.lower() in TEXTS and is_annotation(path)]
    labels = _by_name_beside(found, beside)
    _same_names(found, [path for path in beside if path not in labels], labels)
    found.images.extend(path for path in beside if path not in labels)
    index: dict[str, list[Path]] = defaultdict(list)
    for image in found.images:
        index[image.stem.casefold()].append(image)
    for label in (*in_folders, *texts):
        if (owner := _of_folder(found, index, label)) is not None:
            labels[label] = owner
        elif label.suffix.lower() in SUFFIXES:
            found.unmatched.append(label)
    for label, image in labels.items():
        found.labels.setdefault(image, []).append(label)
    return found


def add_labels_beside(found: Labelled) -> None:
    """Add the labels in folders of masks beside the root, or beside the folder that holds it.

    From there only those count that lie in a folder of the root's name, as in labels/train.
    """
    root = Path(os.path.abspath(found.root))
    images = {Path(os.path.abspath(image)): image for image in found.images}
    for above in dict.fromkeys((root.parent, root.parent.parent)):
        for folder in _mask_folders_in(above):
            if root.is_relative_to(folder):
                continue
            labels = [f for f in files_below(folder) if above == root.parent or f.parent != folder]
            for image, more in match_labels(above, [*images, *labels]).labels.items():
                found.labels.setdefault(images[image], []).extend(more)


def _mask_folders_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # no right to list it: nothing beside can be meant
        return []
    return [p for p in entries if meaning_alone(p.name) is Meaning.MASK and p.is_dir()]


def _mask_folder(found: Labelled, path: Path) -> int | None:
    """The place of the first folder of masks among the folders of a path."""
    names = found.folders(path)
    return next((i for i, name in enumerate(names) if meaning(name) is Meaning.MASK), None)


def _stems(path: Path) -> list[str]:
    """The stems that the image of a label may have."""
    matches = (pattern.fullmatch(path.stem) for pattern in (_ENDING, _BEGINNING))
    return [(match[1] + match[2]).casefold() for match in matches if match]


def _by_name_beside(found: Labelled, pictures: list[Path]) -> dict[Path, Path]:
    """Labels beside their images, by their names."""
    there = {(path.parent, path.stem.casefold()): path for path in reversed(pictures)}
    labels = {}
    for path in pictures:
        for stem in _stems(path):
            if (image := there.get((path.parent, stem))) is not None:
                labels[path] = image
    return labels


def _same_names(found: Labelled, pictures: list[Path], labels: dict[Path, Path]) -> None:
    """Masks whose name differs from their image's in the suffix only."""
    groups: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in pictures:
        groups[path.parent, path.stem.casefold()].append(path)
    for group in groups.values():
        if len(group) < 2:
            continue
        masks = [path for path in group if _has_few_levels(path)]
        rest = [path for path in group if path not in masks]
        if masks and len(rest) == 1:
            labels.update(dict.fromkeys(masks, rest[0]))
        else:
            found.twins.extend((group[0], path) for path in group[1:] if _differ(group[0], path))


def _of_folder(found: Labelled, index: dict[str, list[Path]], label: Path) -> Path | None:
    """The image that a label in a folder, or an annotation file, belongs to; None where unclear.

    It has the label's stem, and the same folders above it as the label has in its folder.
    """
    names, place = found.folders(label), _mask_folder(found, label)
    wanted: tuple[str, ...]
    if place is None:
        above, wanted = label.parent, ()
    else:
        above = found.root.joinpath(*names[:place])
        wanted = tuple(name.casefold() for name in names[place + 1 :])
    options = [(wanted, stem) for stem in (*_stems(label), label.stem.casefold())]
    if wanted:  # one folder of masks for each image, as in MVTec LOCO AD
        options.append((wanted[:-1], wanted[-1]))
    for folders, stem in options:
        fitting = [
            image
            for image in index.get(stem, ())
            if (image.parent == above if place is None else image.is_relative_to(above))
            and _ends_with(image.parent, folders)
        ]
        for some in (
            [image for image in fitting if image.parent == above],
            [image for image in fitting if not _is_good(found, image)],
            fitting,
        ):
            if len(some) == 1:
                return some[0]
    return None


def _is_good(found: Labelled, image: Path) -> bool:
    return any(meaning(name) is Meaning.GOOD for name in found.folders(image))


def _ends_with(folder: Path, names: tuple[str, ...]) -> bool:
    last = folder.parts[len(folder.parts) - len(names) :]
    return tuple(name.casefold() for name in last) == names


def _has_few_levels(path: Path) -> bool:
    """Whether a picture looks like a mask: a few different values only."""
    picture = decode(path)
    return picture is not None and len(np.unique(picture)) <= FEW_LEVELS


def _differ(one: Path, other: Path) -> bool:
    small = []
    for path in (one, other):
        picture = decode(path)
        if picture is None:
            return False  # read_images names it
        gray = picture if picture.ndim == 2 else picture[..., :3].mean(axis=2)
        small.append(cv2.resize(gray, (64, 64), interpolation=cv2.INTER_AREA))
    return float(np.abs(small[0] - small[1]).mean()) > SAME_PICTURE


def check_twins(found: Labelled) -> None:
    """Raise ImageError for two files of one name that are no image and its mask."""
    for one, other in found.twins:
        raise ImageError(
            f"{one} and {other.name} have one name but show different things: name a label "
            f"{one.stem}_label{other.suffix}, or move it out of the folder"
        )
