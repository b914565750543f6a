"""A product's pictures: images/NAME/good, and images/NAME/removed for those thrown out.

`draem train images/NAME/good` takes exactly the ones that are not thrown out.
"""

import re
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock

from edge.base.errors import ImageError
from edge.base.files import digest, write_atomic
from edge.product.product import check_name
from edge.vision.image_files import SUFFIXES, decode_image
from edge.vision.image_folders import files_below

GOOD, REMOVED = "good", "removed"
RESERVE_BYTES = 1 << 30
"""Of the disk: what the line and the training need is never taken by pictures."""
LONGEST_NAME = 80
MOST_PICTURE_BYTES = 256 << 20


@lru_cache(maxsize=1000)
def picture_folder(images: Path, product: str) -> "PictureFolder":
    """The one of a product, for all requests: it has a lock, and remembers digests."""
    check_name(product)
    return PictureFolder(images, product)


class PictureFolder:
    """The pictures of one product; usable from any thread. `picture_folder` gives it."""

    def __init__(self, images: Path, product: str) -> None:
        self.good, self.removed = images / product / GOOD, images / product / REMOVED
        self._digests: dict[str, tuple[float, str]] = {}
        self._lock = Lock()

    def names(self, *, removed: bool = False) -> list[str]:
        """The pictures' names, as paths below their folder, in order."""
        folder = self.removed if removed else self.good
        if not folder.is_dir():
            return []
        found = (p for p in files_below(folder) if p.suffix.lower() in SUFFIXES)
        return sorted(str(path.relative_to(folder)) for path in found)

    def path(self, name: str, *, removed: bool = False) -> Path:
        """A picture's file. Raises ImageError for a name that is not one of its pictures."""
        folder = self.removed if removed else self.good
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or path.suffix.lower() not in SUFFIXES or not path.is_file():
            raise ImageError("there is no such picture: reload the page")
        return path

    def add(self, name: str, data: bytes) -> bool:
        """Keep a picture as it is; False where the same is there already.

        Raises ImageError for one that training could not read, and for a disk that is nearly full.
        """
        if len(data) > MOST_PICTURE_BYTES:
            raise ImageError(f"{name} is larger than {MOST_PICTURE_BYTES >> 20} MB")
        decode_image(data, name)
        with self._lock:
            self.good.mkdir(parents=True, exist_ok=True)
            check_space(self.good, len(data))
            path = self.good / f".new-{safe_name(name)}"
            write_atomic(path, data)
            try:
                return self._take_in(path, safe_name(name))
            finally:
                path.unlink(missing_ok=True)

    def _take_in(self, path: Path, name: str) -> bool:
        """Rename a file that is whole to a free name, unless its content is here."""
        known = self._known()
        content = digest(path)
        if content in known.values():
            return False
        stem, suffix, number = Path(name).stem, Path(name).suffix, 1
        while (self.good / name).exists() or (self.removed / name).exists():
            number += 1
            name = f"{stem}-{number}{suffix}"
        path.rename(self.good / name)
        return True

    def _known(self) -> dict[str, str]:
        """The digest of each picture, also of those thrown out; each file is read once."""
        found: dict[str, str] = {}
        for removed in (False, True):
            folder = self.removed if removed else self.good
            for name in self.names(removed=removed):
                path = folder / name
                changed = path.stat().st_mtime
                if self._digests.get(str(path), (0.0, ""))[0] != changed:
                    self._digests[str(path)] = changed, digest(path)
                found[str(path)] = self._digests[str(path)][1]
        return found

    def throw_out(self, names: Iterable[str]) -> None:
        """Move pictures out of the training's folder."""
        self._move(names, to_removed=True)

    def put_back(self, names: Iterable[str]) -> None:
        """Undo it."""
        self._move(names, to_removed=False)

    def _move(self, names: Iterable[str], *, to_removed: bool) -> None:
        target = self.removed if to_removed else self.good
        with self._lock:
            for name in names:
                path = self.path(name, removed=not to_removed)
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                if (target / name).exists():
                    raise ImageError(f"{target / name} exists: rename one of the two")
                path.rename(target / name)


def safe_name(name: str) -> str:
    """A file name of plain characters out of any text; the suffix stays."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, suffix = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(last).stem), Path(last).suffix.lower()
    stem = stem.strip("_-")[:LONGEST_NAME] or "picture"
    return stem + (suffix if suffix in SUFFIXES else ".png")


def check_space(folder: Path, size: int) -> None:
    """Raise ImageError where so many bytes more would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free - size < RESERVE_BYTES:
        raise ImageError(
            f"the disk of {folder} has {free / 1e9:.1f} GB left, of which "
            f"{RESERVE_BYTES / 1e9:.1f} stay free: delete old runs, versions or pictures"
        )
