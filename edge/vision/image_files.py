"""Image files: what is read, how 16 bits become 8, what is skipped and when that is refused."""

import logging
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.files import write_atomic

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
SMALLEST_SIDE = 32
BROKEN_SHARE = 0.05
TIFF_MAX_SAMPLE = 281

Image = NDArray[np.uint8]


def find_images(*places: Path) -> list[Path]:
    """Image files among `places`, each a file or a folder searched whole, sorted by name.

    Raises ImageError where a place is missing or a folder holds none.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = (p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            files = sorted(inside)
            if not files:
                endings = ", ".join(sorted(SUFFIXES))
                raise ImageError(f"{place} holds no images ({endings}): name a folder that does")
            found += files
        elif place.is_file():
            found.append(place)
        else:
            raise ImageError(f"{place} does not exist: name an image or a folder of images")
    return found


def read_image(path: Path, bit_depth: int | None = None) -> Image:
    """One image as HWC BGR uint8: gray replicated, alpha dropped, deeper than 8 bits shifted.

    The true depth of a 16-bit image is `bit_depth`, else what the file states (PNG's sBIT, TIFF's
    MaxSampleValue), else 16. Raises ImageError for a file that cannot be decoded or is too small.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror})") from error
    return decode_image(data, str(path), bit_depth)


def decode_image(data: bytes, name: str, bit_depth: int | None = None) -> Image:
    """`read_image` for bytes already in memory; `name` is for messages."""
    try:
        decoded = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        )
    except cv2.error as error:
        raise ImageError(f"{name} is not an image that can be decoded") from error
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{name} is not an 8- or 16-bit image that can be decoded")
    if min(decoded.shape[:2]) < SMALLEST_SIDE:
        height, width = decoded.shape[:2]
        raise ImageError(f"{name} is {width}x{height}: at least {SMALLEST_SIDE} pixels are needed")
    if decoded.dtype == np.uint16:
        depth = bit_depth or stated_depth(data) or 16
        shifted: NDArray[np.uint16] = np.right_shift(decoded, depth - 8)
        return np.minimum(shifted, 255).astype(np.uint8)
    return np.ascontiguousarray(decoded, np.uint8)


def stated_depth(data: bytes) -> int | None:
    """The significant bits that a PNG or TIFF file states; None where it is silent."""
    depth: int | None = None
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            depth = _png_depth(data)
        elif data[:2] in (b"II", b"MM"):
            depth = _tiff_depth(data)
    except struct.error:
        return None
    return depth if depth is not None and 8 <= depth <= 16 else None


def _png_depth(data: bytes) -> int | None:
    """sBIT's first value; the chunk stands before the pixels."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind == b"sBIT":
            return data[position + 8]
        if kind == b"IDAT":
            return None
        position += 12 + length
    return None


def _tiff_depth(data: bytes) -> int | None:
    """The bit length of MaxSampleValue in the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    for i in range(count):
        tag, kind, values = struct.unpack_from(order + "HHI", data, start + 2 + 12 * i)
        if tag == TIFF_MAX_SAMPLE and kind == 3:
            # One or two SHORTs stand in the entry itself, more at the offset it holds.
            place = start + 10 + 12 * i
            if values > 2:
                (place,) = struct.unpack_from(order + "I", data, place)
            (largest,) = struct.unpack_from(order + "H", data, place)
            return int(largest).bit_length()
    return None


def read_images(*places: Path, bit_depth: int | None = None) -> Iterator[tuple[Path, Image]]:
    """Each image of `places` with its path; broken files are named in the log, skipped and counted.

    Raises ImageError at the end where more than 5 % of the files were broken.
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
    if broken > BROKEN_SHARE * len(paths):
        raise ImageError(
            f"{broken} of {len(paths)} images cannot be read (more than 5 %): "
            "mend or remove those named above"
        )
    if broken:
        log.warning("%d of %d images skipped", broken, len(paths))


def write_png(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """A PNG, whole or not at all. Raises ImageError where it cannot be encoded."""
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise ImageError(f"{path} cannot be encoded as PNG")
    write_atomic(path, data.tobytes())
