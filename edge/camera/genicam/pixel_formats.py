"""Decode a camera's bytes to a picture: the pixel formats of the PFNC standard.

Deeper pixels keep their eight most significant bits, as 16-bit files do. YUV and YCbCr are taken as
full range (0 to 255), as PFNC defines its plain formats.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera import SettingsRefused

Bytes = NDArray[np.uint8]
Image = NDArray[np.uint8]


class PixelFormat(NamedTuple):
    """A format's name in GenICam, its bits a pixel, and its decoder.

    `decode` gets the bytes of the whole picture without padding, rows x columns, and returns HW
    gray or HWC BGR.
    """

    name: str
    bits: int
    decode: Callable[[Bytes, int, int], Image]


def unpack(data: Bytes, bits: int, count: int) -> Bytes:
    """The upper eight bits of `count` pixels, packed without gaps, least significant bit first.

    Mono10p: four pixels in five bytes; Mono12p: two in three (PFNC, "LSB packed").
    """
    size = {10: 5, 12: 3}[bits]
    groups = _padded(data, -(-count * bits // (8 * size)) * size).reshape(-1, size)
    pixels = []
    for first_bit in range(bits - 8, 8 * size, bits):  # of a pixel's upper eight
        byte, shift = divmod(first_bit, 8)
        upper = groups[:, byte + 1] << (8 - shift) if shift else 0
        pixels.append((groups[:, byte] >> shift) | upper)
    return np.stack(pixels, axis=1).reshape(-1)[:count]


def _padded(data: Bytes, size: int) -> Bytes:
    """`size` bytes: the data, cut or filled with zeros."""
    return np.pad(data[:size], (0, max(0, size - data.size)))


def _mono8(data: Bytes, rows: int, columns: int) -> Image:
    return data.reshape(rows, columns)


def _mono16(depth: int) -> Callable[[Bytes, int, int], Image]:
    """Little-endian 16-bit pixels of which `depth` bits are used."""

    def decode(data: Bytes, rows: int, columns: int) -> Image:
        deep: NDArray[np.uint16] = data.view("<u2").reshape(rows, columns)
        return np.asarray(np.minimum(deep >> (depth - 8), 255), np.uint8)

    return decode


def _mono_p(bits: int) -> Callable[[Bytes, int, int], Image]:
    return lambda data, rows, columns: unpack(data, bits, rows * columns).reshape(rows, columns)


def _mono_packed(data: Bytes, rows: int, columns: int) -> Image:
    """GigE Vision's own packing, two pixels in three bytes: both outer bytes are upper bits."""
    count = rows * columns
    groups = _padded(data, -(-count // 2) * 3).reshape(-1, 3)
    return groups[:, [0, 2]].reshape(-1)[:count].reshape(rows, columns)


def _bayer(pattern: int) -> Callable[[Bytes, int, int], Image]:
    return lambda data, rows, columns: np.asarray(
        cv2.cvtColor(data.reshape(rows, columns), pattern), np.uint8
    )


def _rgb8(data: Bytes, rows: int, columns: int) -> Image:
    return np.ascontiguousarray(_bgr8(data, rows, columns)[..., ::-1])


def _bgr8(data: Bytes, rows: int, columns: int) -> Image:
    return data.reshape(rows, columns, 3)


def _yuv422(luma: int) -> Callable[[Bytes, int, int], Image]:
    """Two pixels share U and V; `luma` is the index of the first Y: UYVY 1, YUYV 0."""

    def decode(data: Bytes, rows: int, columns: int) -> Image:
        pairs = data.reshape(rows, columns // 2, 4)
        y = pairs[..., luma::2].reshape(rows, columns)
        u, v = (np.repeat(pairs[..., 1 - luma + i], 2, axis=1) for i in (0, 2))
        return np.asarray(cv2.cvtColor(np.stack((y, v, u), -1), cv2.COLOR_YCrCb2BGR), np.uint8)

    return decode


FORMATS = {
    0x01080001: PixelFormat("Mono8", 8, _mono8),
    0x01100003: PixelFormat("Mono10", 16, _mono16(10)),
    0x01100005: PixelFormat("Mono12", 16, _mono16(12)),
    0x01100025: PixelFormat("Mono14", 16, _mono16(14)),
    0x01100007: PixelFormat("Mono16", 16, _mono16(16)),
    0x010A0046: PixelFormat("Mono10p", 10, _mono_p(10)),
    0x010C0047: PixelFormat("Mono12p", 12, _mono_p(12)),
    0x010C0004: PixelFormat("Mono10Packed", 12, _mono_packed),
    0x010C0006: PixelFormat("Mono12Packed", 12, _mono_packed),
    0x01080008: PixelFormat("BayerGR8", 8, _bayer(cv2.COLOR_BayerGRBG2BGR)),
    0x01080009: PixelFormat("BayerRG8", 8, _bayer(cv2.COLOR_BayerRGGB2BGR)),
    0x0108000A: PixelFormat("BayerGB8", 8, _bayer(cv2.COLOR_BayerGBRG2BGR)),
    0x0108000B: PixelFormat("BayerBG8", 8, _bayer(cv2.COLOR_BayerBGGR2BGR)),
    0x02180014: PixelFormat("RGB8", 24, _rgb8),
    0x02180015: PixelFormat("BGR8", 24, _bgr8),
    0x0210001F: PixelFormat("YUV422_8_UYVY", 16, _yuv422(1)),
    0x02100032: PixelFormat("YUV422_8", 16, _yuv422(0)),
    0x0210003B: PixelFormat("YCbCr422_8", 16, _yuv422(0)),
    0x02100043: PixelFormat("YCbCr422_8_CbYCrY", 16, _yuv422(1)),
}


def pixel_format(code: int) -> PixelFormat:
    """The format with a PFNC code. Raises SettingsRefused for an unsupported one."""
    if code not in FORMATS:
        names = ", ".join(known.name for known in FORMATS.values())
        raise SettingsRefused(
            f"pixel format 0x{code:08x} is not supported: set pixel_format to one of {names}"
        )
    return FORMATS[code]


def to_image(data: bytes, code: int, height: int, width: int, line_padding: int = 0) -> Image:
    """HW gray or HWC BGR, uint8, from one buffer of the camera.

    `line_padding` is in bytes after each row; the last row may come without it. Raises
    SettingsRefused for an unknown format, ValueError where there are fewer bytes than the picture
    needs or its size is impossible in this format.
    """
    name, bits, decode = pixel_format(code)
    if min(height, width) < 1 or (name.startswith("Y") and width % 2):
        raise ValueError(f"a picture of {width}x{height} cannot be {name}")
    flat = np.frombuffer(data, np.uint8)
    row, need = width * bits // 8, -(-height * width * bits // 8)
    if line_padding:
        stride = row + line_padding
        whole = flat.size >= height * stride - line_padding
        rows = _padded(flat, height * stride if whole else 0).reshape(-1, stride)
        flat = rows[:, :row].reshape(-1)
    if flat.size < need:
        raise ValueError(f"{len(data)} bytes are too few for {width}x{height} in {name}")
    return decode(flat[:need], height, width)
