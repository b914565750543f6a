"""Decode JPEG strictly: a picture of which any part is missing or damaged is refused.

OpenCV and Pillow ignore what libjpeg warns of and fill the missing part with gray.
"""

import re

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edge.base.errors import ImageError

SIGNATURE = b"\xff\xd8\xff"
EXIF = b"Exif\0\0"
DAMAGED = "is damaged or cut ({}): take or copy it again"
MAX_PIXELS = 2**28

# In coded data FF is followed by 00 or by a restart marker, D0 to D7.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd8])")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """HWC BGR, turned as EXIF says. Bytes behind the end marker are ignored.

    Raises ImageError, whose text has no name, for all that libjpeg warns of and for missing scans.
    """
    try:
        check_size(*simplejpeg.decode_jpeg_header(data)[:2])
        image = simplejpeg.decode_jpeg(data, "BGR", strict=True)
    except (ValueError, LookupError, MemoryError) as error:
        raise ImageError(DAMAGED.format(error)) from error
    if not has_all_scans(data):
        raise ImageError(DAMAGED.format("scans are missing"))
    if EXIF in data:  # OpenCV gives the same pixels and turns them
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image, np.uint8)


def check_size(height: int, width: int) -> None:
    """Raises ImageError for a picture that would fill the memory."""
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"is {width}x{height}: at most {MAX_PIXELS // 10**6} megapixels are read; "
            "crop it or make it smaller"
        )


def has_all_scans(data: bytes) -> bool:
    """Whether the scans up to the end marker bring every coefficient to its last bit.

    libjpeg does not warn where a progressive JPEG ends between two scans, nor where a baseline
    JPEG lacks the scan of one color. (ITU-T T.81, B.2.3 and G.1.1.1.)
    """
    low_bits: dict[int, list[int]] = {}
    position = 0
    while (found := MARKER.search(data, position)) and found[1][0] != END_OF_IMAGE:
        start = found.end() + 2
        position = found.end() + int.from_bytes(data[found.end() : start])
        segment = data[start:position]
        if found[1][0] in STARTS_OF_FRAME:
            low_bits = {component: [16] * 64 for component in segment[6::3]}
        elif found[1][0] == START_OF_SCAN:
            count = segment[0]
            first, last, approximation = segment[1 + 2 * count : 4 + 2 * count]
            # A lossless scan has its predictor, 1 to 7, as `first`, and 0 as `last`.
            for component in segment[1 : 1 + 2 * count : 2]:
                for k in range(first, last + 1) or range(64):
                    low_bits[component][k] = approximation & 15
            if not any(map(any, low_bits.values())):
                return True  # as a rule after the first scan: no need to search all coded data
    return False
