"""Which images of a folder show good parts, by the names of folders and by labels.

Everything counts as good in a folder where nothing says otherwise. Where something does - a folder
NG, a mask, a test half - only those images are taken that are certainly good, and a folder is
refused where that is not certain.
"""

import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from edge.base.errors import ImageError
from edge.vision.folder_names import Meaning, meaning
from edge.vision.image_files import SUFFIXES, find_images
from edge.vision.image_folders import files_below
from edge.vision.image_kinds import (
    folder_meanings,
    good_without_label,
    home_of,
    image_kinds,
    is_marked,
    own_meanings,
)
from edge.vision.labels import Labelled, add_labels_beside, match_labels

log = logging.getLogger(__name__)

HALVES = (Meaning.TRAIN, Meaning.VALIDATION, Meaning.TEST)
NAMED = 3


class Found(NamedTuple):
    """Images of good parts, and what was left out, in words."""

    images: list[Path]
    left_out: str


def good_images(*places: Path) -> list[Path]:
    """The images of good parts at `places`; what is left out is logged.

    Raises ImageError where it is not certain which are good, or where there are none.
    """
    images: list[Path] = []
    _check_listed(places, Meaning.BAD)
    for place in places:
        found = find_good(place)
        if found.left_out:
            log.info("%s: %d good images; left out: %s", place, len(found.images), found.left_out)
        images += found.images
    return images


def bad_images(*places: Path) -> list[Path]:
    """The images of bad parts at `places`, without their labels.

    Raises ImageError where some of them show good parts.
    """
    images: list[Path] = []
    _check_listed(places, Meaning.GOOD)
    for place in places:
        images += _bad(place) if place.is_dir() else find_images(place)
    return images


def _check_listed(places: Collection[Path], unwanted: Meaning) -> None:
    """Raise ImageError for a named file in a folder of the other kind, or that is a label."""
    files = [place for place in places if place.is_file()]
    for folder in sorted({file.parent for file in files}):
        if unwanted in own_meanings(folder):
            raise ImageError(f"{folder} is named as a folder of {unwanted.name.lower()} parts")
        found = match_labels(folder, [file for file in files if file.parent == folder])
        for image, labels in found.labels.items():
            raise ImageError(f"{labels[0]} is a label of {image.name}: name the images alone")


def _match(place: Path, files: Iterable[Path]) -> Labelled:
    """The images of a folder, with labels in it and in folders of masks beside it."""
    found = match_labels(place, files)
    if not found.images:
        find_images(place)  # raises, since there are none
    add_labels_beside(found)
    return found


def _bad(place: Path) -> list[Path]:
    found = _match(place, files_below(place))
    kinds, good, here = image_kinds(found), good_without_label(found), own_meanings(place)
    some_bad = Meaning.BAD not in here and any(Meaning.BAD in one for one in kinds.values())
    for path in found.images:
        labels = found.labels.get(path, [])
        if (
            Meaning.GOOD in kinds[path] | here
            or (some_bad and not labels and Meaning.BAD not in kinds[path])
            or (labels and not is_marked(found, path))
            or (not labels and path.parent in good)
        ):
            raise ImageError(f"{path} may show a good part: name a folder of bad parts only")
    return found.images


def find_good(place: Path) -> Found:
    """`good_images` of one place, without the log."""
    if not place.is_dir():
        return Found(find_images(place), "")
    return _find_good(place, list(files_below(place)))


def _find_good(place: Path, files: list[Path]) -> Found:
    """`files` are all below the folder."""
    if Meaning.BAD in own_meanings(place):
        raise ImageError(f"{place} is named as a folder of defects: name the folder of good parts")
    train = [p for p in place.iterdir() if p.is_dir() and meaning(p.name) is Meaning.TRAIN]
    if len(train) == 1:
        inside = [path for path in files if path.is_relative_to(train[0])]
        outside = sum(path.suffix.lower() in SUFFIXES for path in set(files) - set(inside))
        found = _find_good(train[0], inside)
        words = [found.left_out, f"{outside} outside {train[0].name}/" if outside else ""]
        return Found(found.images, ", ".join(filter(None, words)))
    labelled = _match(place, files)
    _check_halves(place, labelled)
    return _sort(place, labelled)


def _check_halves(place: Path, found: Labelled) -> None:
    """Raise ImageError for the parent of data sets, and for a half that is not for training."""
    sets = set()
    for path in (*found.images, *found.labels):
        names = found.folders(path)
        sets |= {place.joinpath(*names[:i]) for i, n in enumerate(names) if meaning(n) in HALVES}
    if nested := sets - {place}:
        raise ImageError(
            f"{place} holds more than good images: name one data set, such as {min(nested)}"
        )
    if sets or (found.labels and own_meanings(place) & set(HALVES[1:])):
        good = sorted(p for p in place.iterdir() if Meaning.GOOD in folder_meanings(p))
        such = f", such as {good[0]}" if good else ""
        raise ImageError(
            f"{place} holds more than good images: name the folder of the good ones{such}, "
            "or a data set that has train/good"
        )


def _sort(place: Path, found: Labelled) -> Found:
    """By names where any says which are good, else by labels, else all."""
    kinds = image_kinds(found)
    bad = [p for p in found.images if Meaning.BAD in kinds[p] or is_marked(found, p)]
    rest = sorted(set(found.images) - set(bad))
    named = [path for path in rest if Meaning.GOOD in kinds[path]]
    homes = {home_of(found, path) for path in named}
    strays: list[Path] = []
    if named:
        good = named
        strays = [path for path in rest if path not in set(named) and path.parent in homes]
    elif found.labels or found.unmatched:
        unlabelled = good_without_label(found)
        good = [path for path in rest if path in found.labels or path.parent in unlabelled]
    else:
        good = [] if bad else rest
        _warn_of_folders(place, good)
    if unclear := sorted(set(rest) - set(good) - set(strays)):
        raise ImageError(_unclear(place, found, homes, unclear))
    if not good:
        raise ImageError(f"{place} holds defects only: name a folder of good parts")
    if len(homes) > 1 and (bad or found.labels or found.unmatched):
        raise ImageError(
            f"{place} holds {len(homes)} sets of good and other images: name one of them, such as "
            f"{min(homes)}, or the folder of its good ones"
        )
    return Found(good, _left_out(place, found, bad, strays))


def _warn_of_folders(place: Path, good: list[Path]) -> None:
    """Log that all are taken where several folders hold some, such as `crack` and `no_crack`."""
    folders = {str(path.parent.relative_to(place.parent)) for path in good}
    if len(folders) > 1:
        log.warning(
            "%s: no name says which images are good: all %d of %d folders (%s) are taken as good; "
            "name one folder if another holds defects",
            *(place, len(good), len(folders), _few(folders)),
        )


def _left_out(place: Path, found: Labelled, bad: list[Path], strays: list[Path]) -> str:
    folders = {str(p.parent.relative_to(place.parent)) for p in bad}
    words = {
        f"of defects ({_few(folders)})": len(bad),
        "masks or labels": sum(map(len, found.labels.values())),
        f"masks that fit no image ({_few(found.unmatched)})": len(found.unmatched),
        f"beside the folder of good ones ({_few(strays)})": len(strays),
    }
    return ", ".join(f"{count} {text}" for text, count in words.items() if count)


def _unclear(place: Path, found: Labelled, homes: set[Path], unclear: list[Path]) -> str:
    """What is not certain, and what to do."""
    folders = {str(path.parent.relative_to(place.parent)) for path in unclear}
    start = f"{place} holds more than good images"
    if homes:
        good = min(p for p in min(homes).iterdir() if Meaning.GOOD in folder_meanings(p))
        return f"{start} ({_few(folders)}): name the folder of good ones, {good}"
    if found.labels:
        return (
            f"{start}: {len(unclear)} have no label ({_few(unclear)}), others have one; name a "
            "folder of good images alone"
        )
    if found.unmatched:
        return (
            f"{start}: {len(found.unmatched)} masks fit no image ({_few(found.unmatched)}); name a "
            "folder of good images alone"
        )
    return (
        f"{start}: defects, and others that no name calls good ({_few(folders)}); name a folder "
        "that has good ones alone, or move them into one"
    )


def _few(names: Collection[Path] | Collection[str]) -> str:
    """Some names, for a message."""
    shown = sorted(map(str, names))
    return ", ".join(shown[:NAMED]) + (", ..." if len(shown) > NAMED else "")
