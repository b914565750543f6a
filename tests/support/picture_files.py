"""Generated PNG, BMP and TIFF files of every depth, layout and compression, with their pixels."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 40, 47
RANDOM = np.random.default_rng(5)

Case = tuple[str, bytes, np.ndarray | None]  # name, file, BGR as 8 bits; None: must be refused


def picture(channels: int, dtype: type = np.uint8) -> np.ndarray:
    shape = (HEIGHT, WIDTH, channels)
    full = RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return full[..., 0] if channels == 1 else full


def expected(image: np.ndarray) -> np.ndarray:
    """RGB, gray, or these with alpha, as BGR of 8 bits."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 2:
        gray = image if image.ndim == 2 else image[..., 0]
        return np.dstack([gray] * 3)
    return image[..., 2::-1]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, depth: int, kind: int, *extra: bytes) -> bytes:
    """Rows of samples packed big-endian with filter 0, in three IDAT chunks."""
    size = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, 0)
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in samples.reshape(HEIGHT, -1)]
    else:
        bits = np.unpackbits(samples.reshape(HEIGHT, -1, 1), axis=2)[..., 8 - depth :]
        rows = [np.packbits(row.ravel()).tobytes() for row in bits]
    coded = zlib.compress(b"".join(b"\0" + row for row in rows))
    third = len(coded) // 3
    parts = coded[:third], coded[third : 2 * third], coded[2 * third :]
    data = b"".join(chunk(b"IDAT", part) for part in parts)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + b"".join(extra) + data + chunk(b"IEND", b"")
    )


def png_files() -> Iterator[Case]:
    for depth in (1, 2, 4, 8, 16):
        dtype = np.uint16 if depth == 16 else np.uint8
        gray = picture(1, dtype) >> (16 if depth == 16 else 8) - depth
        scaled = gray if depth == 16 else gray * (255 // (2**depth - 1))
        yield f"png gray {depth}", png(gray, depth, 0), expected(scaled)
        yield f"png gray {depth} sBIT", png(gray, depth, 0, chunk(b"sBIT", b"\1")), expected(scaled)
        if depth < 16:
            palette = RANDOM.integers(0, 256, (2**depth, 3), np.uint8)
            colors = chunk(b"PLTE", palette.tobytes())
            yield f"png palette {depth}", png(gray, depth, 3, colors), expected(palette[gray])
    for channels, kind in ((2, 4), (3, 2), (4, 6)):
        for depth, dtype in ((8, np.uint8), (16, np.uint16)):
            image = picture(channels, dtype)
            yield f"png {channels} x {depth}", png(image, depth, kind), expected(image)


def pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bmp_files() -> Iterator[Case]:
    modes = {"1": "1", "L": "8 gray", "P": "8 palette", "RGB": "24", "RGBA": "32"}
    source = Image.fromarray(picture(4))
    for mode, name in modes.items():
        image = source.convert("RGB").quantize(64) if mode == "P" else source.convert(mode)
        reference = np.asarray(image.convert("RGB"))
        yield f"bmp {name}", pillow(image, "BMP"), expected(reference)
    rows = picture(3)
    padded = b"".join(row[:, ::-1].tobytes() + b"\0" * (-WIDTH * 3 % 4) for row in rows)
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "bmp top-down", b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + head + padded, expected(rows)
    short = b"".join(row[:, :2].tobytes() + b"\0" * (-WIDTH * 2 % 4) for row in rows)
    rows_8 = (b"\x01\x80" * WIDTH + b"\0\0") * (HEIGHT // 2) + b"\0\1"  # whole, but half the rows
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(rows_8), 0, 0, 256, 0)
    start = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024)
    yield "bmp RLE", start + rows_8, None
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 16, 0, 0, 0, 0, 0, 0)
    yield "bmp 16", b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + head + short, None


def tiff(image: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


COMPRESSIONS = None, "lzw", "zlib", "packbits", "zstd"
LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 32)},
}


def tiff_layouts() -> Iterator[Case]:
    """Every compression in every layout, byte order, depth, with channels together or in planes."""
    kinds = itertools.product(COMPRESSIONS, LAYOUTS, "<>", (np.uint8, np.uint16), (1, 3, 4))
    for compression, layout, order, dtype, channels in kinds:
        image = picture(channels, dtype)
        options = {**LAYOUTS[layout], "compression": compression, "byteorder": order}
        options["photometric"] = "minisblack" if channels == 1 else "rgb"
        if channels == 4:
            options["extrasamples"] = ["unassalpha"]
        name = f"tiff {compression} {layout} {order} {dtype.__name__} x {channels}"
        yield name, tiff(image, **options), expected(image)
        if channels > 1:
            planes = tiff(np.moveaxis(image, 2, 0), planarconfig="separate", **options)
            yield name + " planes", planes, expected(image)


def tiff_kinds() -> Iterator[Case]:
    gray, deep, colors, deep_colors = (
        picture(channels, dtype) for channels in (1, 3) for dtype in (np.uint8, np.uint16)
    )
    black = {"photometric": "minisblack"}
    bilevel = gray > 127
    palette = Image.fromarray(colors).quantize(64)
    predicted = {"photometric": "rgb", "predictor": 2}
    yield "bilevel", tiff(bilevel, **black), expected(bilevel * np.uint8(255))
    yield (
        "bilevel inverted",
        tiff(bilevel, photometric="miniswhite"),
        expected(~bilevel * np.uint8(255)),
    )
    yield "inverted", tiff(gray, photometric="miniswhite"), expected(255 - gray)
    yield "palette", pillow(palette, "TIFF"), expected(np.asarray(palette.convert("RGB")))
    yield "BigTIFF", tiff(deep, bigtiff=True, **black), expected(deep)
    yield "ImageJ", tiff(deep, imagej=True), expected(deep)
    for order, compression in itertools.product("<>", ("lzw", "zlib")):
        options = {**predicted, "byteorder": order, "compression": compression}
        yield (
            f"predictor {order} {compression}",
            tiff(deep_colors, **options),
            expected(deep_colors),
        )
    alpha = picture(2)
    yield "gray and alpha", pillow(Image.fromarray(alpha, "LA"), "TIFF"), expected(alpha)
    for orientation in range(1, 9):
        data = tiff(colors, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
        yield f"orientation {orientation}", data, cv2.imdecode(np.frombuffer(data, np.uint8), 1)
    yield "float", tiff(gray.astype(np.float32), **black), None
    yield "half float", tiff(gray.astype(np.float16), **black), None
    yield "signed", tiff(deep.view(np.int16), **black), None
    yield "32 bits", tiff(deep.astype(np.uint32), **black), None
    yield "16 bits inverted", tiff(deep, photometric="miniswhite"), None
    yield "three pages", tiff(np.stack([gray] * 3), **black), None
    yield "volume", tiff(np.stack([gray] * 16), volumetric=True, tile=(16, 16, 16), **black), None
    yield "five channels", tiff(picture(5), planarconfig="contig", **black), None
    yield "three channels of no color", tiff(colors, planarconfig="contig", **black), None
    yield "two channels of no color", tiff(picture(2), planarconfig="contig", **black), None
    yield "CMYK", pillow(Image.fromarray(picture(4), "CMYK"), "TIFF"), None
    yield "JPEG in TIFF", tiff(colors, photometric="ycbcr", compression="jpeg"), None
    yield "fax", pillow(Image.fromarray(bilevel), "TIFF", compression="group4"), None


CASES = {
    name: (data, image)
    for source in (png_files, bmp_files, tiff_layouts, tiff_kinds)
    for name, data, image in source()
}
