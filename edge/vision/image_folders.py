"""What a folder holds: all files below it, without those of the system and of hidden folders."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.base.errors import ImageError

log = logging.getLogger(__name__)

SYSTEM = frozenset({
    "@eadir", "@recycle", "#recycle", "#snapshot", "@tmp", "@synoresource", "@sharebin",
    "@recently-snapshot", "__macosx", "network trash folder", "temporary items", "$recycle.bin",
    "recycler", "found.000", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini",
    "system volume information", "__pycache__",
})  # fmt: skip
UNREAD = frozenset({
    ".webp", ".gif", ".jfif", ".jpe", ".jp2", ".heic", ".heif", ".avif", ".jxl", ".tga", ".pgm",
    ".ppm", ".pbm", ".pnm", ".exr", ".npy", ".npz", ".dng", ".raw", ".svg",
})  # fmt: skip
"""Suffixes of pictures in formats that are not read."""
NAMED = 3
SIZES_NAMED = 5


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in no order; linked folders are followed.

    Hidden, system and temporary files are left out. A link that leads to nothing, or back to a
    folder above it, is logged and left out. Raises ImageError for a folder that cannot be read.
    """
    yield from _files(folder, (_real(folder),))


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """`above` are the real paths of the folder and of those that it was reached through."""
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise ImageError(
            f"{folder} cannot be read ({error.strerror}): correct its rights"
        ) from error
    for entry in entries:
        path = folder / entry.name
        if is_left_out(entry.name):
            continue
        if _leads_nowhere(entry):
            log.warning("left out: %s is a link to nothing", path)
        elif entry.is_dir():
            real = _real(path)
            if any(known.is_relative_to(real) for known in above):
                log.warning("left out: %s is a link to a folder that it lies in", path)
            else:
                yield from _files(path, (*above, real))
        elif entry.is_file():
            yield path


def _leads_nowhere(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a link to nothing, or one of links that lead to each other."""
    return entry.is_symlink() and not os.path.exists(entry.path)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def is_left_out(name: str) -> bool:
    """Whether a name is a hidden, system or temporary file's."""
    return name.startswith((".", "~")) or name.endswith("~") or name.casefold() in SYSTEM


def warn_of_unread(folder: Path, files: Iterable[Path]) -> None:
    """Log a warning where some of a folder's files are pictures in a format that is not read."""
    unread = sorted(path for path in files if path.suffix.lower() in UNREAD)
    if unread:
        log.warning(
            "%s: %d pictures are left out, since their format is not read (%s): convert them "
            "to PNG",
            *(folder, len(unread)),
            ", ".join(path.name for path in unread[:NAMED]) + (", ..." * (len(unread) > NAMED)),
        )


def warn_of_mixed_sizes(sizes: Counter[tuple[int, ...]]) -> None:
    """Log a warning where images are of several sizes; `sizes` counts each (height, width)."""
    if len(sizes) < 2:
        return
    common = sizes.most_common(SIZES_NAMED)
    named = [f"{count} of {width}x{height}" for (height, width), count in common]
    if others := sizes.total() - sum(count for _, count in common):
        named.append(f"{others} of other sizes")
    log.warning(
        "the images are of different sizes (%s): each is resized to the network's input, so that "
        "parts look stretched; use images of one size, as the camera gives them",
        ", ".join(named),
    )
