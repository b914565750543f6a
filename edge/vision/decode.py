"""Decode JPEG, PNG, BMP and TIFF at full depth: whole and certain in meaning, or refused."""

import struct

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.jpeg import DAMAGED, check_size, decode_jpeg
from edge.vision.jpeg import SIGNATURE as JPEG
from edge.vision.tiff import SIGNATURES as TIFF
from edge.vision.tiff import Samples, decode_tiff, to_bgr

PNG, PNG_EXIF, PNG_END = b"\x89PNG\r\n\x1a\n", b"eXIf", b"IEND\xaeB\x60\x82"
BMP, RUN_LENGTHS = b"BM", (1, 2)


def decode(data: bytes) -> tuple[Samples, int | None]:
    """Samples as HW, or HWC in BGR or BGRA, and the bits that each has; None where unclear.

    Raises ImageError, whose text has no name.
    """
    if data.startswith(JPEG):
        return decode_jpeg(data), 8
    if data.startswith(TIFF):
        return decode_tiff(data)
    try:
        if data.startswith(PNG):
            samples = _decode_png(data)
            return samples, 8 * samples.itemsize
        if data.startswith(BMP):
            return _decode_bmp(data), 8
    except (cv2.error, struct.error, RuntimeError, ValueError, MemoryError) as error:
        reason = error.err if isinstance(error, cv2.error) else error
        raise ImageError(DAMAGED.format(reason)) from error
    raise ImageError("is neither JPEG nor PNG, BMP or TIFF: convert it, or remove it")


def _decode_png(data: bytes) -> Samples:
    """libpng through imagecodecs checks all checksums, and that no pixel is missing.

    sBIT changes nothing, since samples are scaled to their full range (PNG 3, 13.12).
    """
    width, height = struct.unpack_from(">II", data, 16)
    check_size(height, width)
    if data.rfind(PNG_END) < 0:
        raise ValueError("its end is missing")
    samples: Samples = imagecodecs.png_decode(data)
    if PNG_EXIF in data:  # OpenCV gives the same pixels and turns them, without alpha
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # type: ignore[return-value]
    return samples if samples.ndim == 2 else to_bgr(samples)


def _decode_bmp(data: bytes) -> Samples:
    """OpenCV, unlike with other formats, refuses a BMP of which anything is missing."""
    header, width, height, bits, compression = struct.unpack_from("<IiixxHI", data, 14)
    if header >= 40 and compression in RUN_LENGTHS:  # it may end, or skip pixels, anywhere
        raise ImageError("is a BMP with RLE, which does not tell what is missing: save it without")
    if header >= 40 and bits == 16:  # decoders differ in how 5 bits become 8
        raise ImageError("is a BMP of 16 bits a pixel: save it with 24")
    check_size(abs(height), width)
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ValueError("OpenCV cannot decode it")
    return np.asarray(samples, np.uint8)


def as_bgr8(samples: Samples, depth: int) -> NDArray[np.uint8]:
    """HWC BGR uint8: gray replicated, alpha dropped, more than 8 bits shifted.

    Raises ImageError where a sample has more than `depth` bits.
    """
    if samples.ndim == 3:
        samples = samples[..., :3] if samples.shape[2] >= 3 else samples[..., 0]
    if samples.dtype == np.uint16:
        if int(samples.max()) >> depth:
            raise ImageError(
                f"has values up to {samples.max()}, more than {depth} bits: "
                "state the right --bit-depth, or none for full 16 bits"
            )
        samples = (samples >> (depth - 8)).astype(np.uint8)
    if samples.ndim == 2:
        samples = cv2.cvtColor(samples, cv2.COLOR_GRAY2BGR)  # type: ignore[assignment]
    return np.ascontiguousarray(samples, np.uint8)
