"""What the names of folders and files, and the labels, say of each image of a folder."""

from pathlib import Path

from edge.base.errors import ImageError
from edge.vision.folder_names import Meaning, meaning, meaning_alone
from edge.vision.label_files import marks_defect
from edge.vision.labels import Labelled, check_twins

Kinds = dict[Path, set[Meaning | None]]
"""For each image what its name and those of the folders above it say."""
CLASSES = {Meaning.GOOD, Meaning.BAD}


def own_meanings(place: Path) -> set[Meaning | None]:
    """What a place's own name says: part of it may be about something else."""
    return {meaning_alone(place.name), meaning_alone(place.resolve().name)}


def folder_meanings(folder: Path) -> set[Meaning | None]:
    """What the name of a folder says, and that of the folder to which it may be a link."""
    return {meaning(folder.name), meaning(folder.resolve().name)}


def image_kinds(found: Labelled) -> Kinds:
    """What is said of each image. Raises ImageError for a name that does not say which are good."""
    folders: Kinds = {found.root: set()}
    for folder in sorted({path.parent for path in found.images}):
        for one in (*reversed(folder.parents), folder):
            if one != found.root and one.is_relative_to(found.root):
                folders.setdefault(one, folders[one.parent] | folder_meanings(one))
    for folder, meanings in folders.items():
        if Meaning.UNCERTAIN in meanings or meanings >= CLASSES:
            raise ImageError(
                f"{folder}: this name does not say whether the parts are good: name the folder of "
                "the good ones"
            )
    check_twins(found)
    kinds = {path: folders[path.parent] for path in found.images}
    return kinds | _by_file_name([path for path in kinds if not kinds[path] & CLASSES])


def _by_file_name(images: list[Path]) -> Kinds:
    """What the names of images say, where some of them say that they show defects, others not."""
    said = {path: meaning(path.stem) for path in images}
    bad = [path for path in said if said[path] is Meaning.BAD]
    return {path: {said[path]} for path in said} if 0 < len(bad) < len(said) else {}


def home_of(found: Labelled, path: Path) -> Path:
    """The folder that holds the folder of good parts of an image; the image's own by its name."""
    folders = [one for one in path.parents if one != found.root and one.is_relative_to(found.root)]
    good = [one for one in folders if Meaning.GOOD in folder_meanings(one)]
    return good[-1].parent if good else path.parent


def is_marked(found: Labelled, path: Path) -> bool:
    """Whether a label marks something in an image."""
    return any(map(marks_defect, found.labels.get(path, ())))


def good_without_label(found: Labelled) -> set[Path]:
    """Folders as in DAGM 2007: only defects have a label, in a folder of labels inside."""
    empty: dict[Path, bool] = {}
    for image, labels in found.labels.items():
        for label in labels:
            if label.parent.parent == image.parent:
                empty[image.parent] = empty.get(image.parent, False) or not marks_defect(label)
    return {folder for folder, any_empty in empty.items() if not any_empty}
