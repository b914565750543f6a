"""Image files: find, read and write them; 16 bits become 8, unreadable files are skipped."""

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.files import write_atomic
from edge.vision.decode import as_bgr8, decode
from edge.vision.image_folders import files_below, warn_of_unread
from edge.vision.tiff import Samples

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MIN_SIDE = 32
MAX_BROKEN_SHARE = 0.05
MOST_SENSOR_BITS = 14
UNCLEAR_DEPTH = (
    "states a largest value below 65535 and no depth: say --bit-depth 12 for 12 bits, 16 for all"
)

_warned: set[str] = set()  # folders

Image = NDArray[np.uint8]


def find_images(*places: Path) -> list[Path]:
    """Image files at `places`: files as they are given, folders with all below them, sorted.

    Hidden and system files are left out (see image_folders).

    Raises ImageError where a place is missing or a folder holds none.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            there = list(files_below(place))
            warn_of_unread(place, there)
            files = [path for path in there if path.suffix.lower() in SUFFIXES]
            if not files:
                suffixes = ", ".join(sorted(SUFFIXES))
                raise ImageError(f"{place} holds no images ({suffixes}): name a folder that does")
            found += sorted(files)
        elif place.is_file():
            found.append(place)
        else:
            raise ImageError(f"{place} does not exist: name an image or a folder of images")
    return found


def read_image(path: Path, bit_depth: int | None = None) -> Image:
    """One image as HWC BGR uint8: gray replicated, alpha dropped, more than 8 bits shifted.

    Samples of 16 bits have `bit_depth` significant ones, the lowest; without it all 16. Raises
    ImageError for a file that is damaged, cut, unclear in meaning or too small.
    """
    return decode_image(_bytes_of(path), str(path), bit_depth)


def read_samples(path: Path) -> Samples:
    """Samples of 8 or 16 bits as they are in the file: HW, HW2 with alpha, or HWC in BGR or BGRA.

    Raises ImageError as `read_image` does.
    """
    try:
        return decode(_bytes_of(path))[0]
    except ImageError as error:
        raise ImageError(f"{path} {error}") from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror})") from error


def decode_image(data: bytes, name: str, bit_depth: int | None = None) -> Image:
    """`read_image` for bytes already in memory; `name` is for messages."""
    try:
        samples, bits = decode(data)
        height, width = samples.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise ImageError(f"is {width}x{height}: at least {MIN_SIDE} pixels are needed")
        if samples.dtype == np.uint16 and bit_depth is None:
            if bits is None:
                raise ImageError(UNCLEAR_DEPTH)
            _warn_of_unused_bits(name, int(samples.max()), bits)
        return as_bgr8(samples, bit_depth or bits or 16)
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error


def _warn_of_unused_bits(name: str, largest: int, bits: int) -> None:
    """Once for each folder: 12 bits in 16 would be nearly black."""
    folder = str(Path(name).parent)
    if bits == 16 and largest < 2**MOST_SENSOR_BITS and folder not in _warned:
        _warned.add(folder)
        log.warning(
            "%s has no value above %d of 65535: if the camera gives 12 bits, say --bit-depth 12 "
            "(10 and 14 likewise)",
            name,
            largest,
        )


def read_images(*places: Path, bit_depth: int | None = None) -> Iterator[tuple[Path, Image]]:
    """Each image at `places` with its path; unreadable files are logged, skipped and counted.

    Raises ImageError at the end where more than 5 % of the files were unreadable.
    """
    paths, broken = find_images(*places), 0
    for path in paths:
        try:
            image = read_image(path, bit_depth)
        except ImageError as error:
            log.warning("skipped: %s", error)
            broken += 1
        else:
            yield path, image
    if broken > MAX_BROKEN_SHARE * len(paths):
        raise ImageError(
            f"{broken} of {len(paths)} images cannot be read (more than 5 %): "
            "repair or remove those named above"
        )
    if broken:
        log.warning("%d of %d images skipped", broken, len(paths))


def write_png(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write a PNG atomically. Raises ImageError where it cannot be encoded."""
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise ImageError(f"{path} cannot be encoded as PNG")
    write_atomic(path, data.tobytes())
