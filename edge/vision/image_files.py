"""Image files: find, read and write them; 16 bits become 8, unreadable files are skipped."""

import logging
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.files import write_atomic
from edge.vision import jpeg

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MIN_SIDE = 32
MAX_BROKEN_SHARE = 0.05
TIFF_MAX_SAMPLE, TIFF_SHORT = 281, 3

Image = NDArray[np.uint8]


def find_images(*places: Path) -> list[Path]:
    """Image files at `places`: files as they are given, folders with all below them, sorted.

    Raises ImageError where a place is missing or a folder holds none.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            files = [p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
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

    A 16-bit image has `bit_depth` significant bits, else as many as the file states (PNG's sBIT,
    TIFF's MaxSampleValue), else 16. Raises ImageError for a file that cannot be decoded or is too
    small.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror})") from error
    return decode_image(data, str(path), bit_depth)


def decode_image(data: bytes, name: str, bit_depth: int | None = None) -> Image:
    """`read_image` for bytes already in memory; `name` is for messages."""
    decoded: NDArray[np.uint8] | NDArray[np.uint16] | None
    try:
        if data.startswith(jpeg.SIGNATURE):
            decoded = jpeg.decode_jpeg(data)
        else:
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # type: ignore[assignment]
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error
    except cv2.error as error:
        raise ImageError(f"{name} is not an image that can be decoded") from error
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{name} is not an 8- or 16-bit image that can be decoded")
    height, width = decoded.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"{name} is {width}x{height}: at least {MIN_SIDE} pixels are needed")
    if decoded.dtype == np.uint16:
        depth = bit_depth or stated_depth(data) or 16
        shifted: NDArray[np.uint16] = np.right_shift(decoded, depth - 8)
        return np.minimum(shifted, 255).astype(np.uint8)
    return np.ascontiguousarray(decoded, np.uint8)


def stated_depth(data: bytes) -> int | None:
    """The significant bits that a PNG or TIFF file states; None where it states none."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            depth = _png_depth(data)
        else:
            depth = _tiff_depth(data) if data[:2] in (b"II", b"MM") else None
    except struct.error:
        return None
    return depth if depth is not None and 8 <= depth <= 16 else None


def _png_depth(data: bytes) -> int | None:
    """The first value of the chunk sBIT, which comes before the pixels (IDAT)."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind in (b"sBIT", b"IDAT"):
            return data[position + 8] if kind == b"sBIT" else None
        position += 12 + length
    return None


def _tiff_depth(data: bytes) -> int | None:
    """The bit length of MaxSampleValue in the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    for i in range(count):
        tag, kind, values = struct.unpack_from(order + "HHI", data, start + 2 + 12 * i)
        if tag == TIFF_MAX_SAMPLE and kind == TIFF_SHORT:
            # One or two SHORTs are in the entry itself, more at the offset that it holds.
            place = start + 10 + 12 * i
            if values > 2:
                (place,) = struct.unpack_from(order + "I", data, place)
            (largest,) = struct.unpack_from(order + "H", data, place)
            return int(largest).bit_length()
    return None


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
