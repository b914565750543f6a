"""Decode TIFF strictly: what tifffile reads with certainty, everything else is refused."""

import io
import itertools
import logging
import math
import struct

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from edge.base.errors import ImageError
from edge.vision.jpeg import DAMAGED, check_size

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Lossless ones. JPEG in TIFF is left out, since its decoder does not report what is missing.
COMPRESSIONS = (
    *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.PACKBITS, COMPRESSION.ZSTD),
    *(COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE),
)
ORIENTATION, MAX_SAMPLE_VALUE = 274, 281
MAX_PAGES = 20
DEPTHS = 1, 8, 10, 12, 14, 16
# Everything that tifffile and its decoders raise for a damaged file.
ERRORS = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(RuntimeError, MemoryError, struct.error),
)

Samples = NDArray[np.uint8] | NDArray[np.uint16]


class _Strict(logging.Filter):
    """Errors that tifffile only logs, such as a wrong count of strips, become an ImageError."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            raise ImageError(DAMAGED.format(record.getMessage()))
        return False


tifffile.logger().addFilter(_Strict())


def decode_tiff(data: bytes) -> tuple[Samples, int | None]:
    """Samples as HW, or HWC in BGR or BGRA, upright; and their bits, None where these are unclear.

    Raises ImageError, whose text has no name.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = _only_page(tiff)
            _check_meaning(page)
            check_size(page.imagelength, page.imagewidth)
            _check_whole(page, len(data))
            samples = _as_bgr(page, page.asarray(maxworkers=1))
            return _upright(samples, page.tags.valueof(ORIENTATION, 1)), _bits(page)
    except ERRORS as error:
        raise ImageError(DAMAGED.format(error)) from error


def _only_page(tiff: tifffile.TiffFile) -> TiffPage:
    """The one page of full size; previews (NewSubfileType 1) may stand beside it.

    A damaged chain of pages can be endless.
    """
    pages = list(itertools.islice(tiff.pages, MAX_PAGES + 1))
    full = [page for page in pages if isinstance(page, TiffPage) and not page.is_reduced]
    if not full:
        raise ImageError(DAMAGED.format("no page"))
    if len(full) > 1 or len(pages) > MAX_PAGES:
        raise ImageError("has more than one page: save each as a file of its own")
    return full[0]


def _check_meaning(page: TiffPage) -> None:
    """Raises ImageError for what cannot be turned into gray or colors with certainty."""
    depth, samples = page.bitspersample, page.samplesperpixel
    if page.sampleformat not in (None, 1) or depth not in DEPTHS or page.imagedepth != 1:
        raise ImageError(f"has {depth} bits of {page.dtype}: save it as 8 or 16 bits without sign")
    if page.compression not in COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise ImageError(f"is compressed by {name}: save it with LZW, deflate or none")
    certain: dict[tuple[int, int], bool] = {
        (PHOTOMETRIC.MINISBLACK, 1): True,
        (PHOTOMETRIC.MINISBLACK, 2): page.extrasamples in ((1,), (2,)),  # gray and alpha
        (PHOTOMETRIC.MINISWHITE, 1): depth <= 8,
        (PHOTOMETRIC.RGB, 3): depth >= 8,
        (PHOTOMETRIC.RGB, 4): depth >= 8,
        (PHOTOMETRIC.PALETTE, 1): depth == 8,
    }
    if not certain.get((page.photometric, samples)):
        name = getattr(page.photometric, "name", page.photometric)
        raise ImageError(f"is {name} of {samples} x {depth} bits: save it as gray or RGB")


def _check_whole(page: TiffPage, length: int) -> None:
    """Raises ImageError where a strip or tile is missing or goes beyond the end of the file."""
    places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    whole = all(start > 0 and size > 0 and start + size <= length for start, size in places)
    if not whole or len(places) != math.prod(page.chunked):
        raise ImageError(DAMAGED.format("strips or tiles are missing"))


def _as_bgr(page: TiffPage, samples: Samples) -> Samples:
    if page.bitspersample == 1:
        samples = samples.astype(np.uint8) * 255
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        samples = 255 - samples
    if page.photometric == PHOTOMETRIC.PALETTE:
        samples = _colors(page)[samples]
    if page.axes[0] == "S":  # planes
        samples = np.moveaxis(samples, 0, -1)
    return samples if samples.ndim == 2 else to_bgr(samples)


def to_bgr(samples: Samples) -> Samples:
    """RGB and RGBA become BGR and BGRA; gray with alpha stays."""
    if samples.shape[2] == 2:
        return samples
    code = cv2.COLOR_RGB2BGR if samples.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return cv2.cvtColor(np.ascontiguousarray(samples), code)  # type: ignore[return-value]


def _colors(page: TiffPage) -> NDArray[np.uint8]:
    """The palette, 256 x RGB. TIFF has 16 bits in it; some programs wrote 8."""
    if page.colormap is None or page.colormap.max() < 256:
        raise ImageError("has a palette of unclear depth: save it as gray or RGB")
    return (page.colormap.T >> 8).astype(np.uint8)


def _upright(samples: Samples, orientation: int) -> Samples:
    """TIFF 6.0, Orientation: where the first row and the first column lie."""
    if orientation >= 5:
        samples = np.swapaxes(samples, 0, 1)
    down, right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return samples[:: -1 if down else 1, :: -1 if right else 1]


def _bits(page: TiffPage) -> int | None:
    """Packed samples have their own depth. MaxSampleValue may be the depth or a statistic."""
    largest = page.tags.valueof(MAX_SAMPLE_VALUE, 2**16 - 1)
    if page.bitspersample == 16 and np.min(largest) < 2**16 - 1:
        return None
    return max(8, page.bitspersample)
