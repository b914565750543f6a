"""Pictures that deserve a second look: near-duplicates, and those unlike the others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.image_files import read_image
from edge.vision.near_duplicates import SAME_PART_MAX, thumbnail

MOST = 3000
FEWEST = 8
UNUSUAL = 6.0
"""Median deviations beyond the median, of the difference to the median picture."""


@dataclass(frozen=True)
class Marks:
    """By picture name: the earlier picture that it repeats; and those that look unusual."""

    same_as: dict[str, str]
    unusual: frozenset[str]


class PictureMarks:
    """Computes marks; each picture is read once. For one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, NDArray[np.float32] | None]] = {}

    def of(self, folder: Path, names: list[str]) -> Marks:
        """The marks of a folder's pictures; none where there are too many to compare."""
        if len(names) > MOST:
            return Marks({}, frozenset())
        small = {name: self._thumbnail(folder / name) for name in names}
        read = {name: image for name, image in small.items() if image is not None}
        if not read:
            return Marks({}, frozenset())
        return Marks(_repeats(read), _unusual(read))

    def _thumbnail(self, path: Path) -> NDArray[np.float32] | None:
        try:
            changed = path.stat().st_mtime
            known = self._known.get(str(path))
            if known is None or known[0] != changed:
                self._known[str(path)] = known = changed, thumbnail(read_image(path))
        except ImageError:
            self._known[str(path)] = known = changed, None
        except OSError:
            return None
        return known[1]


def _repeats(read: dict[str, NDArray[np.float32]]) -> dict[str, str]:
    names, images = list(read), np.stack(list(read.values()))
    same: dict[str, str] = {}
    for i in range(1, len(names)):
        close = np.abs(images[:i] - images[i]).mean(axis=(1, 2)) < SAME_PART_MAX
        if close.any():
            first = names[int(np.argmax(close))]
            same[names[i]] = same.get(first, first)
    return same


def _unusual(read: dict[str, NDArray[np.float32]]) -> frozenset[str]:
    names, images = list(read), np.stack(list(read.values()))
    if len(names) < FEWEST:
        return frozenset()
    away = np.abs(images - np.median(images, axis=0)).mean(axis=(1, 2))
    spread = max(float(np.median(np.abs(away - np.median(away)))), 0.1)
    limit = float(np.median(away)) + UNUSUAL * spread
    return frozenset(name for name, value in zip(names, away, strict=True) if value > limit)
