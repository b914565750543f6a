"""Generated picture files against a second decoder: equal, or refused; never silently different.

JPEG has its own tests.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from edge.base.errors import ImageError
from edge.vision.image_files import decode_image
from tests.support.picture_files import CASES, chunk, expected, picture, pillow

READABLE = [name for name, (_, image) in CASES.items() if image is not None]
# OpenCV scrambles planes of 16 bits and has no zstd.
ONE_DECODER = re.compile("uint16.*planes|zstd.*uint16")
DECODABLE_TWICE = [name for name in READABLE if not ONE_DECODER.search(name)]
CUTS = 0.05, 0.3, 0.55, 0.8, 0.95, 0.999


def test_the_matrix_is_large() -> None:
    assert len(CASES) >= 200


def second_decoder(data: bytes) -> np.ndarray:
    """Pillow up to 8 bits; OpenCV, which is wrong in planes of 16 bits, above."""
    with Image.open(io.BytesIO(data)) as file:
        if 16 not in (
            data[24] if file.format == "PNG" else 8,
            *getattr(file, "tag_v2", {}).get(258, ()),
        ):
            return expected(np.asarray(file.convert("RGB") if file.mode in ("1", "P") else file))
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    deep = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags), np.uint16)
    return (deep >> 8).astype(np.uint8)


@pytest.mark.parametrize("name", DECODABLE_TWICE)
def test_a_second_decoder_sees_the_same(name: str) -> None:
    data, _ = CASES[name]
    assert (second_decoder(data) == decode_image(data, "a")).all()


@pytest.mark.parametrize("name", CASES)
def test_a_picture_is_equal_to_the_reference_or_refused(name: str) -> None:
    data, image = CASES[name]
    if image is None:
        with pytest.raises(ImageError, match="save"):
            decode_image(data, "a")
    else:
        assert (decode_image(data, "a") == image).all()


@pytest.mark.parametrize("name", READABLE)
def test_a_cut_picture_is_refused(name: str) -> None:
    data, _ = CASES[name]
    for share in CUTS:
        kept = data[: int(len(data) * share)]
        with pytest.raises(ImageError):
            decode_image(kept, f"{name} cut to {len(kept)}")


@pytest.mark.parametrize("name", [name for name in READABLE if name.startswith("tiff")])
def test_a_tiff_whose_strip_lies_beyond_the_end_or_is_missing_is_refused(name: str) -> None:
    data, _ = CASES[name]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        tag = page.tags[324 if page.is_tiled else 273]
        order = file.byteorder
    place = tag.valueoffset
    size = 4 if tag.dtype == 4 else 2
    for value in (len(data) - 3, 2 ** (8 * size) - 1, 0):
        wrong = struct.pack(order + ("I" if size == 4 else "H"), min(value, 2 ** (8 * size) - 1))
        with pytest.raises(ImageError):
            decode_image(data[:place] + wrong + data[place + size :], name)


def damaged_png() -> dict[str, Callable[[bytes], bytes]]:
    def flipped(data: bytes) -> bytes:
        place = data.index(b"IDAT") + 40
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    def without(kind: bytes) -> Callable[[bytes], bytes]:
        def change(data: bytes) -> bytes:
            start = data.index(kind) - 4
            return data[:start] + data[start + 12 + int.from_bytes(data[start : start + 4]) :]

        return change

    def ended(data: bytes) -> bytes:
        """The pixels end early, and every checksum is right."""
        start = data.index(b"IDAT") - 4
        return data[:start] + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")

    return {
        "bit": flipped,
        "one IDAT less": without(b"IDAT"),
        "no IEND": without(b"IEND"),
        "end": ended,
    }


@pytest.mark.parametrize("damage", damaged_png())
@pytest.mark.parametrize("name", ["png 3 x 8", "png gray 16", "png palette 4"])
def test_a_damaged_png_is_refused(name: str, damage: str) -> None:
    data, _ = CASES[name]
    with pytest.raises(ImageError, match="is damaged or cut"):
        decode_image(damaged_png()[damage](data), "a.png")


def huge_files() -> Iterator[bytes]:
    data, _ = CASES["png 3 x 8"]
    head = b"IHDR" + struct.pack(">II", 60000, 60000) + data[24:29]
    yield data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    data, _ = CASES["bmp 24"]
    yield data[:18] + struct.pack("<ii", 60000, -60000) + data[26:]
    data, _ = CASES["tiff None one strip < uint8 x 1"]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = [file.pages.first.tags[tag].valueoffset for tag in (256, 257, 278)]
    for place in places:  # width, height, rows of a strip
        data = data[:place] + struct.pack("<H", 60000) + data[place + 2 :]
    yield data


def test_a_picture_of_too_many_pixels_is_refused_with_its_size() -> None:
    for data in huge_files():
        with pytest.raises(ImageError, match="is 60000x60000: at most 268 megapixels"):
            decode_image(data, "big")


def test_other_formats_are_refused_by_name() -> None:
    data = pillow(Image.fromarray(picture(3)), "WEBP")
    with pytest.raises(ImageError, match=r"a\.png is neither JPEG nor PNG, BMP or TIFF"):
        decode_image(data, "a.png")
