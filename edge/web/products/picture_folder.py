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
def picture_folder(images: Path, product: str, most: int | None = None) -> "PictureFolder":
    """The one of a product, for all requests: it has a lock, and remembers digests."""
    check_name(product)
    return PictureFolder(images, product, most)


class PictureFolder:
    """The pictures of one product; usable from any thread. `picture_folder` gives it.

    Beyond `most` none is taken.
    """

    def __init__(self, images: Path, product: str, most: int | None = None) -> None:
        self.good, self.removed = images / product / GOOD, images / product / REMOVED
        self._most = most
        self._digests: dict[str, tuple[float, str]] = {}
        self._known: dict[str, Path] = {}
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

        Raises ImageError for one that training could not read, and for a disk or folder that is
        nearly full. `rescan` finds those that were not added here.
        """
        if len(data) > MOST_PICTURE_BYTES:
            raise ImageError(f"{name} is larger than {MOST_PICTURE_BYTES >> 20} MB")
        decode_image(data, name)
        with self._lock:
            self.good.mkdir(parents=True, exist_ok=True)
            if self._most is not None and len(self.names()) >= self._most:
                raise ImageError(f"{self._most} pictures are here already: use or clear these")
            check_space(self.good, len(data))
            path = self.good / f".new-{safe_name(name)}"
            write_atomic(path, data)
            try:
                return self._take_in(path, safe_name(name))
            finally:
                path.unlink(missing_ok=True)

    def _take_in(self, path: Path, name: str) -> bool:
        """Rename a file that is whole to a free name, unless its content is here."""
        content = digest(path)
        if content in self._known and not self._known[content].is_file():
            self._rescan()  # it was moved or removed
        if content in self._known:
            return False
        stem, suffix, number = Path(name).stem, Path(name).suffix, 1
        while (self.good / name).exists() or (self.removed / name).exists():
            number += 1
            name = f"{stem}-{number}{suffix}"
        path.rename(self.good / name)
        self._known[content] = self.good / name
        return True

    def rescan(self) -> None:
        """Look what is there, also what was thrown out; a file that is known is not read again."""
        with self._lock:
            self._rescan()

    def _rescan(self) -> None:
        digests: dict[str, tuple[float, str]] = {}
        for removed in (False, True):
            folder = self.removed if removed else self.good
            for name in self.names(removed=removed):
                path = folder / name
                changed = path.stat().st_mtime
                before = self._digests.get(str(path), (0.0, ""))
                is_same = before[0] == changed
                digests[str(path)] = before if is_same else (changed, digest(path))
        self._digests = digests
        self._known = {content: Path(path) for path, (_, content) in digests.items()}

    def hand_over(self, to: Path) -> None:
        """Move all pictures into a new folder."""
        with self._lock:
            self.good.rename(to)

    def clear(self) -> None:
        """Remove all pictures but those thrown out."""
        with self._lock:
            if self.good.is_dir():
                shutil.rmtree(self.good)

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
